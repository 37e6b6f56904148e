import { isDeepStrictEqual } from 'node:util';
import type { CertificateSigningRequest, Node, PersistentVolumeClaim } from '@skiff/api';
import type { DeepReadonly, JsonObject, KubeObject } from '@skiff/apimachinery';
import { readRequestSubject } from '../authn/certificate-subject.ts';
import type { AdmissionRequest } from '../contract.ts';
import { refuse } from './refuse.ts';

/** Whether node `name` may do this. Throws Forbidden. */
export type NodeCheck = (name: string, r: AdmissionRequest) => void | Promise<void>;
export const quote = (s: string): string => JSON.stringify(s);
export const objectOf = <T>(r: AdmissionRequest): T => r.object as unknown as T;
export const oldOf = <T>(r: AdmissionRequest): DeepReadonly<T> => r.oldObject as unknown as DeepReadonly<T>;

const restrictedNamespace = 'node-restriction.kubernetes.io';

/** Labels in Kubernetes' own namespaces that kubelets report about themselves. */
const kubeletLabels: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/instance-type',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
]);
const kubeletNamespaces = ['kubelet.kubernetes.io', 'node.kubernetes.io'];

const within = (namespace: string, parent: string): boolean => namespace === parent || namespace.endsWith(`.${parent}`);

/** Which of these labels a kubelet may not set, change or remove on its Node. */
export function forbiddenLabels(labels: Iterable<string>): string[] {
  const out: string[] = [];
  for (const label of labels) {
    const slash = label.indexOf('/');
    const namespace = slash < 0 ? '' : label.slice(0, slash);
    const isKubernetes = within(namespace, 'kubernetes.io') || within(namespace, 'k8s.io');
    const isKubelet = kubeletLabels.has(label) || kubeletNamespaces.some((n) => within(namespace, n));
    if (within(namespace, restrictedNamespace) || (isKubernetes && !isKubelet)) out.push(label);
  }
  return out.sort();
}

function changedLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): Set<string> {
  return new Set([...Object.keys(a), ...Object.keys(b)].filter((key) => a[key] !== b[key]));
}

export const admitNode: NodeCheck = (name, r) => {
  const requested = r.name || (r.object as KubeObject | null)?.metadata?.name || '';
  if (requested !== name) throw refuse(r, `node ${quote(name)} is not allowed to modify node ${quote(requested)}`);
  if (r.operation !== 'CREATE' && r.operation !== 'UPDATE') return;
  const wanted = objectOf<Node>(r);
  const old = r.operation === 'UPDATE' ? oldOf<Node>(r) : undefined;
  if (wanted.spec?.configSource !== undefined && !isDeepStrictEqual(wanted.spec.configSource, old?.spec?.configSource)) {
    throw refuse(
      r,
      old === undefined
        ? `node ${quote(name)} is not allowed to create pods with a non-nil configSource`
        : `node ${quote(name)} is not allowed to update configSource to a new non-nil configSource`,
    );
  }
  // Beyond upstream: the other hosts make routes and rules of it, and the node here may delete its Node and make it anew.
  for (const field of ['podCIDR', 'podCIDRs'] as const) {
    const [now, before] = [wanted.spec?.[field] ?? '', old?.spec?.[field] ?? ''];
    if (String(now) !== String(before)) throw refuse(r, `node ${quote(name)} is not allowed to set spec.${field}`);
  }
  const forbidden = forbiddenLabels(changedLabels(wanted.metadata?.labels ?? {}, old?.metadata?.labels ?? {}));
  if (old === undefined) {
    if (forbidden.length > 0) throw refuse(r, `node ${quote(name)} is not allowed to set the following labels: ${forbidden.join(', ')}`);
    return;
  }
  if (!isDeepStrictEqual(wanted.spec?.taints ?? [], old.spec?.taints ?? []))
    throw refuse(r, `node ${quote(name)} is not allowed to modify taints`);
  if (!isDeepStrictEqual(wanted.metadata?.ownerReferences ?? [], old.metadata?.ownerReferences ?? [])) {
    throw refuse(r, `node ${quote(name)} is not allowed to modify ownerReferences`);
  }
  if (forbidden.length > 0) throw refuse(r, `is not allowed to modify labels: ${forbidden.join(', ')}`);
};

export const admitClaimStatus: NodeCheck = (name, r) => {
  if (r.subresource !== 'status') throw refuse(r, 'may only update PVC status');
  if (r.operation !== 'UPDATE') throw refuse(r, `unexpected operation ${quote(r.operation)}`);
  const strip = (o: DeepReadonly<JsonObject>): PersistentVolumeClaim => {
    const copy = structuredClone(o) as unknown as PersistentVolumeClaim;
    delete copy.metadata?.resourceVersion;
    delete copy.metadata?.managedFields;
    for (const field of ['capacity', 'conditions', 'allocatedResources', 'allocatedResourceStatuses'] as const) delete copy.status?.[field];
    return copy;
  };
  if (r.object === null || r.oldObject === null || !isDeepStrictEqual(strip(r.object), strip(r.oldObject))) {
    throw refuse(r, `node ${quote(name)} is not allowed to update fields other than status.quantity and status.conditions`);
  }
};

export const admitLease: NodeCheck = (name, r) => {
  if (r.namespace !== 'kube-node-lease') throw refuse(r, 'can only access leases in the "kube-node-lease" system namespace');
  const requested = r.operation === 'CREATE' ? ((r.object as KubeObject | null)?.metadata?.name ?? '') : r.name;
  if (requested !== name) throw refuse(r, 'can only access node lease with the same name as the requesting node');
};

export const admitCsiNode: NodeCheck = (name, r) => {
  const requested = r.operation === 'CREATE' ? ((r.object as KubeObject | null)?.metadata?.name ?? '') : r.name;
  if (requested !== name) throw refuse(r, 'can only access CSINode with the same name as the requesting node');
};

export const admitResourceSlice: NodeCheck = (name, r) => {
  const owner = (o: unknown): string | undefined => (o as { spec?: { nodeName?: string } } | null)?.spec?.nodeName;
  if ((r.operation === 'CREATE' && owner(r.object) !== name) || (r.operation === 'DELETE' && owner(r.oldObject) !== name)) {
    throw refuse(
      r,
      `can only ${r.operation === 'CREATE' ? 'create' : 'delete'} ResourceSlice with the same NodeName as the requesting node`,
    );
  }
};

const kubeletSigners: ReadonlySet<string> = new Set(['kubernetes.io/kubelet-serving', 'kubernetes.io/kube-apiserver-client-kubelet']);

/** A node asks for certificates in its own name only. */
export const admitCertificateRequest: NodeCheck = (name, r) => {
  if (r.operation !== 'CREATE') return;
  const { spec } = objectOf<CertificateSigningRequest>(r);
  if (!kubeletSigners.has(spec.signerName)) return;
  let commonName: string;
  try {
    ({ commonName } = readRequestSubject(Buffer.from(String(spec.request ?? ''), 'base64').toString('latin1')));
  } catch (error) {
    throw refuse(r, `unable to parse csr: ${(error as Error).message}`);
  }
  if (commonName !== `system:node:${name}`) throw refuse(r, `can only create a node CSR with CN=system:node:${name}`);
};
