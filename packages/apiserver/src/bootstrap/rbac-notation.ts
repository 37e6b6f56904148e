import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '@skiff/api';

/** A role as data. Lists in rules are comma-separated texts: the tables are long and read by people. */
export interface BootstrapRole {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** The role's rules are the union of those of cluster roles with these labels. */
  readonly aggregates?: readonly Readonly<Record<string, string>>[];
  readonly rules: readonly PolicyRule[];
}

export interface BootstrapBinding {
  readonly name: string;
  readonly namespace?: string;
  readonly role: string;
  readonly subjects: readonly Subject[];
}

const rbacGroup = 'rbac.authorization.k8s.io';
const list = (text: string): string[] => text.split(',');

/** Verbs on resources of groups ('' is the core group), where `names` are given only on objects of these names. */
export const rule = (groups: string, resources: string, verbs: string, names?: string): PolicyRule => ({
  verbs: list(verbs),
  apiGroups: list(groups),
  resources: list(resources),
  ...(names === undefined ? {} : { resourceNames: list(names) }),
});
export const urls = (paths: string, verbs: string): PolicyRule => ({ verbs: list(verbs), nonResourceURLs: list(paths) });

export const user = (name: string): Subject => ({ kind: 'User', apiGroup: rbacGroup, name });
export const group = (name: string): Subject => ({ kind: 'Group', apiGroup: rbacGroup, name });
/** A ServiceAccount in kube-system. */
export const account = (name: string): Subject => ({ kind: 'ServiceAccount', name, namespace: 'kube-system' });

const bootstrapLabels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
export const autoUpdateAnnotation = 'rbac.authorization.kubernetes.io/autoupdate';

const metadata = (o: { name: string; namespace?: string; labels?: Readonly<Record<string, string>> }) => ({
  name: o.name,
  ...(o.namespace === undefined ? {} : { namespace: o.namespace }),
  labels: { ...bootstrapLabels, ...o.labels },
  annotations: { [autoUpdateAnnotation]: 'true' },
});

export const renderClusterRole = (r: BootstrapRole): ClusterRole => ({
  kind: 'ClusterRole',
  apiVersion: `${rbacGroup}/v1`,
  metadata: metadata(r),
  rules: structuredClone([...r.rules]),
  ...(r.aggregates === undefined
    ? {}
    : { aggregationRule: { clusterRoleSelectors: r.aggregates.map((matchLabels) => ({ matchLabels: { ...matchLabels } })) } }),
});

export const renderRole = (r: BootstrapRole): Role => ({
  kind: 'Role',
  apiVersion: `${rbacGroup}/v1`,
  metadata: metadata(r),
  rules: structuredClone([...r.rules]),
});

export const renderClusterRoleBinding = (b: BootstrapBinding): ClusterRoleBinding => ({
  kind: 'ClusterRoleBinding',
  apiVersion: `${rbacGroup}/v1`,
  metadata: metadata(b),
  subjects: structuredClone([...b.subjects]),
  roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: b.role },
});

export const renderRoleBinding = (b: BootstrapBinding): RoleBinding => ({
  kind: 'RoleBinding',
  apiVersion: `${rbacGroup}/v1`,
  metadata: metadata(b),
  subjects: structuredClone([...b.subjects]),
  roleRef: { apiGroup: rbacGroup, kind: 'Role', name: b.role },
});
