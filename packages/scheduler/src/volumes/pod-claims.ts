import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '@skiff/api';
import { formatKey, type DeepReadonly } from '@skiff/apimachinery';
import type { Lister } from '@skiff/client';
import type { PodInfo } from '../framework/pod-info.ts';

export type ClaimView = DeepReadonly<PersistentVolumeClaim>;
export type VolumeView = DeepReadonly<PersistentVolume>;

export interface VolumeListers {
  readonly claims: Lister<PersistentVolumeClaim>;
  readonly volumes: Lister<PersistentVolume>;
  readonly classes: Lister<StorageClass>;
}

export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node';
const bindCompletedAnnotation = 'pv.kubernetes.io/bind-completed';

export const claimKey = (claim: ClaimView): string =>
  formatKey({ namespace: claim.metadata?.namespace ?? '', name: claim.metadata?.name ?? '' });

export interface ClaimReference {
  readonly name: string;
  /** A volume of the pod's own (KEP-1698), made for it and with its life. */
  readonly isEphemeral: boolean;
}

/** The claims that a pod's volumes name. */
export const claimReferences = ({ pod, name }: PodInfo): readonly ClaimReference[] =>
  (pod.spec?.volumes ?? []).flatMap((volume): ClaimReference[] => {
    if (volume.persistentVolumeClaim !== undefined) return [{ name: volume.persistentVolumeClaim.claimName, isEphemeral: false }];
    return volume.ephemeral === undefined ? [] : [{ name: `${name}-${volume.name}`, isEphemeral: true }];
  });

export interface PodClaims {
  readonly bound: readonly ClaimView[];
  /** To be bound once the pod has a node. */
  readonly delayed: readonly ClaimView[];
  /** To be bound before the pod can have a node. */
  readonly immediate: readonly ClaimView[];
}

/** Sorts a pod's claims by what they wait for; a text when one can't be used. */
export function sortClaims(pod: PodInfo, listers: VolumeListers): PodClaims | string {
  const bound: ClaimView[] = [];
  const delayed: ClaimView[] = [];
  const immediate: ClaimView[] = [];
  for (const { name, isEphemeral } of claimReferences(pod)) {
    const claim = listers.claims.get({ namespace: pod.namespace, name });
    if (claim === undefined) {
      return isEphemeral
        ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
        : `persistentvolumeclaim "${name}" not found`;
    }
    if (claim.status?.phase === 'Lost')
      return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec?.volumeName ?? ''}"`;
    if (claim.metadata?.deletionTimestamp !== undefined) return `persistentvolumeclaim "${name}" is being deleted`;
    const isOwn = claim.metadata?.ownerReferences?.some((owner) => owner.controller === true && owner.uid === pod.uid) ?? false;
    if (isEphemeral && !isOwn) return `PVC ${claimKey(claim)} was not created for pod ${pod.key} (pod is not owner)`;
    if (isBound(claim)) bound.push(claim);
    else if (isDelayed(claim, listers) && !claim.spec?.volumeName) delayed.push(claim);
    else immediate.push(claim);
  }
  return { bound, delayed, immediate };
}

export const isBound = (claim: ClaimView): boolean =>
  Boolean(claim.spec?.volumeName) && claim.metadata?.annotations?.[bindCompletedAnnotation] !== undefined;

function isDelayed(claim: ClaimView, { classes }: VolumeListers): boolean {
  const name = claim.spec?.storageClassName;
  return Boolean(name) && classes.get({ name: name ?? '' })?.volumeBindingMode === 'WaitForFirstConsumer';
}
