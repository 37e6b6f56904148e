import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

export type ClaimView = DeepReadonly<PersistentVolumeClaim>;
export type VolumeView = DeepReadonly<PersistentVolume>;
export type ClassView = DeepReadonly<StorageClass>;

export const annotations = {
  /** The binding is complete, in both directions; a claim that has this and no volume has lost it. */
  bindCompleted: 'pv.kubernetes.io/bind-completed',
  /** The controller chose the other side, not the user: it may take that back. */
  boundByController: 'pv.kubernetes.io/bound-by-controller',
  provisionedBy: 'pv.kubernetes.io/provisioned-by',
  provisioner: 'volume.kubernetes.io/storage-provisioner',
  betaProvisioner: 'volume.beta.kubernetes.io/storage-provisioner',
  selectedNode: 'volume.kubernetes.io/selected-node',
  /** Of a volume that was made larger while its claim was not bound: the size that its file system still has. */
  preResizeCapacity: 'volume.alpha.kubernetes.io/pre-resize-capacity',
} as const;

/** Annotation from before there was a field; where it is set it wins. */
const betaClass = 'volume.beta.kubernetes.io/storage-class';

export const classNameOf = (o: ClaimView | VolumeView): string => o.metadata?.annotations?.[betaClass] ?? o.spec?.storageClassName ?? '';

/** Whether a class was chosen, the empty one included. */
export const hasClass = (claim: ClaimView): boolean =>
  claim.metadata?.annotations?.[betaClass] !== undefined || claim.spec?.storageClassName !== undefined;

const isDefaultClass = (c: ClassView): boolean =>
  ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'].some(
    (a) => c.metadata?.annotations?.[a] === 'true',
  );

/** The newest of the classes that are marked as default, by name among those of the same age. */
export function defaultClass(classes: readonly ClassView[]): ClassView | undefined {
  const created = (c: ClassView): string => c.metadata?.creationTimestamp ?? '';
  return classes
    .filter(isDefaultClass)
    .sort((a, b) => created(b).localeCompare(created(a)) || (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? ''))[0];
}

export const claimKeyOf = (claim: ClaimView): string => `${claim.metadata?.namespace ?? ''}/${claim.metadata?.name ?? ''}`;

/** `namespace/name` of the claim that a volume is bound to or set aside for. */
export const claimRefKey = (volume: VolumeView): string | undefined => {
  const ref = volume.spec?.claimRef;
  return ref === undefined ? undefined : `${ref.namespace ?? ''}/${ref.name ?? ''}`;
};

/** Whether a volume is bound to this claim or set aside for it; a reference without UID is to any claim of that name. */
export function isBoundTo(volume: VolumeView, claim: ClaimView): boolean {
  const ref = volume.spec?.claimRef;
  if (ref === undefined || claimRefKey(volume) !== claimKeyOf(claim)) return false;
  return ref.uid === undefined || ref.uid === '' || ref.uid === claim.metadata?.uid;
}
