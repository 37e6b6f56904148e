import { isDeepStrictEqual } from 'node:util';
import { node, pod, type Node, type PersistentVolumeClaim, type Pod, type TokenRequest } from '@skiff/api';
import { type DeepReadonly, type JsonObject, type KubeObject, notFound } from '@skiff/apimachinery';
import { resourceAttributes, type Authorizer } from '../authz/authorizer.ts';
import { nodeIdentity } from '../authz/node.ts';
import { podReferences } from '../authz/pod-references.ts';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';
import type { AdmissionPlugin } from './plugin.ts';
import { refuse } from './refuse.ts';

const mirrorAnnotation = 'kubernetes.io/config.mirror';
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

type Check = (name: string, r: AdmissionRequest) => void;
const quote = (s: string): string => JSON.stringify(s);
const objectOf = <T>(r: AdmissionRequest): T => r.object as unknown as T;
const oldOf = <T>(r: AdmissionRequest): DeepReadonly<T> => r.oldObject as unknown as DeepReadonly<T>;

const admitNode: Check = (name, r) => {
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

const admitPodStatus: Check = (name, r) => {
  if (r.operation !== 'UPDATE') throw refuse(r, `unexpected operation ${quote(r.operation)}`);
  const old = oldOf<Pod>(r);
  const wanted = objectOf<Pod>(r);
  if (old.spec?.nodeName !== name)
    throw refuse(r, `node ${quote(name)} can only update pod status for pods with spec.nodeName set to itself`);
  if (!isDeepStrictEqual(old.metadata?.labels ?? {}, wanted.metadata?.labels ?? {}))
    throw refuse(r, `node ${quote(name)} cannot update labels through pod status`);
  if (!isDeepStrictEqual(old.status?.resourceClaimStatuses ?? [], wanted.status?.resourceClaimStatuses ?? [])) {
    throw refuse(r, `node ${quote(name)} cannot update resource claim statues`);
  }
  if (!isDeepStrictEqual(old.status?.extendedResourceClaimStatus, wanted.status?.extendedResourceClaimStatus)) {
    throw refuse(r, `node ${quote(name)} cannot update extended resource claim status`);
  }
};

const admitClaimStatus: Check = (name, r) => {
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

const admitLease: Check = (name, r) => {
  if (r.namespace !== 'kube-node-lease') throw refuse(r, 'can only access leases in the "kube-node-lease" system namespace');
  const requested = r.operation === 'CREATE' ? ((r.object as KubeObject | null)?.metadata?.name ?? '') : r.name;
  if (requested !== name) throw refuse(r, 'can only access node lease with the same name as the requesting node');
};

const admitCsiNode: Check = (name, r) => {
  const requested = r.operation === 'CREATE' ? ((r.object as KubeObject | null)?.metadata?.name ?? '') : r.name;
  if (requested !== name) throw refuse(r, 'can only access CSINode with the same name as the requesting node');
};

const admitResourceSlice: Check = (name, r) => {
  const owner = (o: unknown): string | undefined => (o as { spec?: { nodeName?: string } } | null)?.spec?.nodeName;
  if ((r.operation === 'CREATE' && owner(r.object) !== name) || (r.operation === 'DELETE' && owner(r.oldObject) !== name)) {
    throw refuse(
      r,
      `can only ${r.operation === 'CREATE' ? 'create' : 'delete'} ResourceSlice with the same NodeName as the requesting node`,
    );
  }
};

/** A kubelet changes only its own Node, its own pods' status and what else is its own; upstream's rules and words. */
export const nodeRestriction = (objects: ObjectAccess, authorizer: () => Authorizer): AdmissionPlugin => {
  const ownPod = (r: AdmissionRequest, podName: string): DeepReadonly<Pod> => {
    const found = objects.get<Pod>(pod, r.namespace, podName);
    if (found === undefined) throw notFound({ group: '', resource: 'pods' }, podName);
    return found;
  };

  const admitPodCreate: Check = (name, r) => {
    const wanted = objectOf<Pod>(r);
    if (wanted.metadata?.annotations?.[mirrorAnnotation] === undefined) {
      throw refuse(r, `pod does not have ${quote(mirrorAnnotation)} annotation, node ${quote(name)} can only create mirror pods`);
    }
    if (wanted.spec?.nodeName !== name) throw refuse(r, `node ${quote(name)} can only create pods with spec.nodeName set to itself`);
    const owners = wanted.metadata?.ownerReferences ?? [];
    const [owner] = owners;
    if (owners.length > 1) throw refuse(r, `node ${quote(name)} can only create pods with a single owner reference set to itself`);
    if (owner === undefined || owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== name) {
      throw refuse(r, `node ${quote(name)} can only create pods with an owner reference set to itself`);
    }
    if (owner.controller !== true)
      throw refuse(r, `node ${quote(name)} can only create pods with a controller owner reference set to itself`);
    if (owner.blockOwnerDeletion === true) throw refuse(r, `node ${quote(name)} must not set blockOwnerDeletion on an owner reference`);
    const own = objects.get<Node>(node, '', name);
    if (own === undefined) throw notFound({ group: '', resource: 'nodes' }, name);
    if (owner.uid !== own.metadata?.uid) throw refuse(r, `node ${name} UID mismatch: expected ${owner.uid} got ${own.metadata?.uid ?? ''}`);
    const copy = structuredClone(wanted);
    delete copy.metadata?.annotations;
    const refs = podReferences(copy);
    const referenced =
      (refs?.serviceAccount ?? '') !== ''
        ? 'serviceaccounts'
        : (refs?.secrets.size ?? 0) > 0
          ? 'secrets'
          : (refs?.configMaps.size ?? 0) > 0
            ? 'configmaps'
            : (refs?.claims.size ?? 0) > 0
              ? 'persistentvolumeclaims'
              : (copy.spec?.resourceClaims ?? []).length > 0
                ? 'resourceclaims'
                : undefined;
    if (referenced !== undefined) throw refuse(r, `node ${quote(name)} can not create pods that reference ${referenced}`);
  };

  const admitPod: Check = (name, r) => {
    if (r.subresource === 'status') return admitPodStatus(name, r);
    if (r.subresource === 'eviction') {
      const podName = r.name || ((r.object as KubeObject | null)?.metadata?.name ?? '');
      if (podName === '') throw refuse(r, 'could not determine pod from request data');
      if (ownPod(r, podName).spec?.nodeName !== name) throw refuse(r, `node ${name} can only evict pods with spec.nodeName set to itself`);
      return;
    }
    if (r.subresource !== '')
      throw refuse(r, `unexpected pod subresource ${quote(r.subresource)}, only 'status' and 'eviction' are allowed`);
    if (r.operation === 'CREATE') return admitPodCreate(name, r);
    if (r.operation !== 'DELETE')
      throw refuse(r, `unexpected operation ${quote(r.operation)}, node ${quote(name)} can only create and delete mirror pods`);
    if (ownPod(r, r.name).spec?.nodeName !== name)
      throw refuse(r, `node ${quote(name)} can only delete pods with spec.nodeName set to itself`);
  };

  const admitToken: Check = (name, r) => {
    if (r.operation !== 'CREATE' || r.subresource !== 'token') return;
    const request = objectOf<TokenRequest>(r);
    const ref = request.spec?.boundObjectRef;
    if (ref === undefined || ref === null || ref.apiVersion !== 'v1' || ref.kind !== 'Pod' || (ref.name ?? '') === '')
      throw refuse(r, 'node requested token not bound to a pod');
    if ((ref.uid ?? '') === '') throw refuse(r, 'node requested token with a pod binding without a uid');
    const bound = ownPod(r, ref.name ?? '');
    if (ref.uid !== bound.metadata?.uid) {
      throw refuse(
        r,
        `the UID in the bound object reference (${ref.uid ?? ''}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    if (bound.spec?.nodeName !== name) throw refuse(r, 'node requested token bound to a pod scheduled on a different node');
    const audiences = request.spec?.audiences ?? [];
    if (audiences.length > 1) throw refuse(r, 'node may only request 0 or 1 audiences');
    const audience = audiences[0] ?? '';
    const inPod = (bound.spec.volumes ?? []).some(
      (v) =>
        v.csi !== undefined ||
        v.projected?.sources?.some((s) => s.serviceAccountToken !== undefined && (s.serviceAccountToken.audience ?? '') === audience),
    );
    if (inPod) return;
    const verdict = authorizer().authorize(
      resourceAttributes(r.user, {
        verb: 'request-serviceaccounts-token-audience',
        version: 'v1',
        resource: audience,
        namespace: r.namespace,
        name: r.name,
      }),
    );
    if (verdict.decision !== 'allow') {
      throw refuse(
        r,
        `audience ${quote(audience)} not found in pod spec volume, ${r.user.name} is not authorized to request tokens for this audience`,
      );
    }
  };

  const checks: Readonly<Record<string, Check>> = {
    '/pods': admitPod,
    '/nodes': admitNode,
    '/persistentvolumeclaims': admitClaimStatus,
    '/serviceaccounts': admitToken,
    'coordination.k8s.io/leases': admitLease,
    'storage.k8s.io/csinodes': admitCsiNode,
    'resource.k8s.io/resourceslices': admitResourceSlice,
  };
  return {
    name: 'NodeRestriction',
    handles: (r) => r.operation !== 'CONNECT' && nodeIdentity(r.user) !== undefined,
    mutate: (r) => {
      const name = nodeIdentity(r.user) ?? '';
      if (name === '') throw refuse(r, `could not determine node from user ${quote(r.user.name)}`);
      checks[`${r.definition.group}/${r.definition.plural}`]?.(name, r);
    },
  };
};
