import { isDeepStrictEqual } from 'node:util';
import { node, pod, type Node, type Pod } from '@skiff/api';
import { type DeepReadonly, type KubeObject, notFound } from '@skiff/apimachinery';
import type { Authorizer } from '../authz/authorizer.ts';
import { nodeIdentity } from '../authz/node.ts';
import { firstApiReference } from '../authz/pod-references.ts';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';
import {
  admitCertificateRequest,
  admitClaimStatus,
  admitCsiNode,
  admitLease,
  admitNode,
  admitResourceSlice,
  type NodeCheck,
  objectOf,
  oldOf,
  quote,
} from './node-objects.ts';
import { admitNodeToken } from './node-token.ts';
import type { AdmissionPlugin } from './plugin.ts';
import { refuse } from './refuse.ts';

const mirrorAnnotation = 'kubernetes.io/config.mirror';

const admitPodStatus: NodeCheck = (name, r) => {
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

/** A kubelet changes only its own Node, its own pods' status and what else is its own; upstream's rules and words. */
export const nodeRestriction = (objects: ObjectAccess, authorizer: () => Authorizer): AdmissionPlugin => {
  const podNamed = (r: AdmissionRequest, podName: string): DeepReadonly<Pod> => {
    const found = objects.get<Pod>(pod, r.namespace, podName);
    if (found === undefined) throw notFound({ group: '', resource: 'pod' }, podName);
    return found;
  };

  const admitPodCreate: NodeCheck = (name, r) => {
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
    if (own === undefined) throw notFound({ group: '', resource: 'node' }, name);
    if (owner.uid !== own.metadata?.uid) throw refuse(r, `node ${name} UID mismatch: expected ${owner.uid} got ${own.metadata?.uid ?? ''}`);
    const referenced = firstApiReference(wanted);
    if (referenced !== undefined) throw refuse(r, `node ${quote(name)} can not create pods that reference ${referenced}`);
  };

  const admitPod: NodeCheck = (name, r) => {
    if (r.subresource === 'status') return admitPodStatus(name, r);
    if (r.subresource === 'eviction') {
      const podName = r.name || ((r.object as KubeObject | null)?.metadata?.name ?? '');
      if (podName === '') throw refuse(r, 'could not determine pod from request data');
      if (podNamed(r, podName).spec?.nodeName !== name)
        throw refuse(r, `node ${name} can only evict pods with spec.nodeName set to itself`);
      return;
    }
    if (r.subresource !== '')
      throw refuse(r, `unexpected pod subresource ${quote(r.subresource)}, only 'status' and 'eviction' are allowed`);
    if (r.operation === 'CREATE') return admitPodCreate(name, r);
    if (r.operation !== 'DELETE')
      throw refuse(r, `unexpected operation ${quote(r.operation)}, node ${quote(name)} can only create and delete mirror pods`);
    if (podNamed(r, r.name).spec?.nodeName !== name)
      throw refuse(r, `node ${quote(name)} can only delete pods with spec.nodeName set to itself`);
  };

  const checks: Readonly<Record<string, NodeCheck>> = {
    '/pods': admitPod,
    '/nodes': admitNode,
    '/persistentvolumeclaims': admitClaimStatus,
    '/serviceaccounts': admitNodeToken(objects, authorizer),
    'certificates.k8s.io/certificatesigningrequests': admitCertificateRequest,
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
      return checks[`${r.definition.group}/${r.definition.plural}`]?.(name, r);
    },
  };
};
