import {
  persistentVolume,
  pod,
  resourceSlice,
  volumeAttachment,
  type PersistentVolume,
  type Pod,
  type ResourceSlice,
  type VolumeAttachment,
} from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { ObjectAccess } from '../contract.ts';
import { podReferences } from './pod-references.ts';

export type GraphKind =
  | 'secret'
  | 'configMap'
  | 'claim'
  | 'serviceAccount'
  | 'volume'
  | 'volumeAttachment'
  | 'resourceClaim'
  | 'resourceSlice'
  | 'pod';

/** Which objects belong to which node, over the pods that are bound to it. */
export interface NodeGraph extends Disposable {
  reaches(node: string, kind: GraphKind, namespace: string, name: string): boolean;
}

const keyOf = (kind: GraphKind, namespace: string, name: string): string => `${kind}/${namespace}/${name}`;

/** Counted edges object → node. Fed by every change of a pod; one pod's edges are replaced as a whole. */
export function createNodeGraph(objects: ObjectAccess): NodeGraph {
  const edges = new Map<string, Map<string, number>>();
  const ofPod = new Map<string, { node: string; keys: readonly string[] }>();
  /** PersistentVolume → the claim it is bound to, and secrets that only its driver names. */
  const volumes = new Map<string, { claim: string; secrets: readonly string[] }>();
  const volumesOfSecret = new Map<string, Set<string>>();
  /** Objects that name their node themselves. */
  const attachments = new Map<string, string>();
  const slices = new Map<string, string>();
  const note = (map: Map<string, string>, name: string, node: string | undefined): void => {
    if (node === undefined || node === '') map.delete(name);
    else map.set(name, node);
  };

  const count = (key: string, node: string, by: number): void => {
    const nodes = edges.get(key) ?? new Map<string, number>();
    const next = (nodes.get(node) ?? 0) + by;
    if (next > 0) nodes.set(node, next);
    else nodes.delete(node);
    if (nodes.size > 0) edges.set(key, nodes);
    else edges.delete(key);
  };

  const podChanged = (id: string, p: DeepReadonly<Pod> | undefined): void => {
    const old = ofPod.get(id);
    const node = p?.spec?.nodeName ?? '';
    const keys = p === undefined || node === '' ? [] : edgesOfPod(p);
    for (const key of old?.keys ?? []) count(key, old?.node ?? '', -1);
    for (const key of keys) count(key, node, 1);
    if (keys.length > 0) ofPod.set(id, { node, keys });
    else ofPod.delete(id);
  };

  const volumeChanged = (name: string, v: DeepReadonly<PersistentVolume> | undefined): void => {
    for (const secret of volumes.get(name)?.secrets ?? []) volumesOfSecret.get(secret)?.delete(name);
    const claim = v?.spec?.claimRef;
    if (v === undefined || claim === undefined) {
      volumes.delete(name);
      return;
    }
    const secrets = volumeSecrets(v, claim.namespace ?? '');
    volumes.set(name, { claim: keyOf('claim', claim.namespace ?? '', claim.name ?? ''), secrets });
    for (const secret of secrets) {
      const users = volumesOfSecret.get(secret) ?? new Set<string>();
      users.add(name);
      volumesOfSecret.set(secret, users);
    }
  };

  const subscriptions = [
    objects.subscribe<Pod>(pod, (key, o) => podChanged(`${key.namespace}/${key.name}`, o)),
    objects.subscribe<PersistentVolume>(persistentVolume, (key, o) => volumeChanged(key.name, o)),
    objects.subscribe<VolumeAttachment>(volumeAttachment, (key, o) => note(attachments, key.name, o?.spec?.nodeName)),
    objects.subscribe<ResourceSlice>(resourceSlice, (key, o) => note(slices, key.name, o?.spec?.nodeName)),
  ];

  const direct = (node: string, key: string): boolean => edges.get(key)?.has(node) === true;
  const reachesVolume = (node: string, name: string): boolean => {
    const bound = volumes.get(name);
    return bound !== undefined && direct(node, bound.claim);
  };
  return {
    reaches: (node, kind, namespace, name) => {
      if (kind === 'volumeAttachment') return attachments.get(name) === node;
      if (kind === 'resourceSlice') return slices.get(name) === node;
      if (kind === 'volume') return reachesVolume(node, name);
      const key = keyOf(kind, namespace, name);
      if (direct(node, key)) return true;
      return kind === 'secret' && [...(volumesOfSecret.get(key) ?? [])].some((v) => reachesVolume(node, v));
    },
    [Symbol.dispose]: () => {
      for (const s of subscriptions) s[Symbol.dispose]();
    },
  };
}

function edgesOfPod(p: DeepReadonly<Pod>): string[] {
  const namespace = p.metadata?.namespace ?? '';
  const keys = [keyOf('pod', namespace, p.metadata?.name ?? '')];
  const refs = podReferences(p);
  if (refs === undefined) return keys;
  for (const s of refs.secrets) keys.push(keyOf('secret', namespace, s));
  for (const c of refs.configMaps) keys.push(keyOf('configMap', namespace, c));
  for (const c of refs.claims) keys.push(keyOf('claim', namespace, c));
  if (refs.serviceAccount !== '') keys.push(keyOf('serviceAccount', namespace, refs.serviceAccount));
  for (const c of p.spec?.resourceClaims ?? []) {
    const generated = p.status?.resourceClaimStatuses?.find((s) => s.name === c.name)?.resourceClaimName;
    const name = c.resourceClaimName ?? generated;
    if (name !== undefined) keys.push(keyOf('resourceClaim', namespace, name));
  }
  const extended = p.status?.extendedResourceClaimStatus?.resourceClaimName;
  if (extended !== undefined && extended !== '') keys.push(keyOf('resourceClaim', namespace, extended));
  return keys;
}

/** Secrets that the kubelet reads to mount a volume: CSI publish and stage secrets, and those of the in-tree drivers. */
function volumeSecrets(v: DeepReadonly<PersistentVolume>, claimNamespace: string): string[] {
  const spec = v.spec;
  const out: string[] = [];
  const add = (ref: { readonly name?: string; readonly namespace?: string } | undefined): void => {
    if (ref?.name !== undefined && ref.name !== '') out.push(keyOf('secret', ref.namespace || claimNamespace, ref.name));
  };
  for (const ref of [
    spec?.cephfs?.secretRef,
    spec?.cinder?.secretRef,
    spec?.flexVolume?.secretRef,
    spec?.rbd?.secretRef,
    spec?.scaleIO?.secretRef,
    spec?.iscsi?.secretRef,
    spec?.storageos?.secretRef,
    spec?.csi?.nodePublishSecretRef,
    spec?.csi?.nodeStageSecretRef,
    spec?.csi?.nodeExpandSecretRef,
  ]) {
    if (ref !== undefined) add(ref);
  }
  if (spec?.azureFile !== undefined) out.push(keyOf('secret', spec.azureFile.secretNamespace ?? claimNamespace, spec.azureFile.secretName));
  return out;
}
