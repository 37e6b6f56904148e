import type { DeepReadonly } from '@skiff/apimachinery';
import type { PersistentVolume, PersistentVolumeClaim } from '../../generated/types/core-v1.ts';
import { age, defineTable, isDeleting, nameColumn, nameOf, wide } from '../../table.ts';

const shortModes = { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' };

const formatAccessModes = (modes: readonly string[] | undefined): string =>
  Object.entries(shortModes)
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');

/** Before there was a field, an annotation named the class; where it is set it still wins. */
const className = (o: DeepReadonly<PersistentVolume | PersistentVolumeClaim>): string =>
  o.metadata?.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? o.spec?.storageClassName ?? '';

export const persistentVolumeTable = defineTable<PersistentVolume>(
  [
    nameColumn,
    'Capacity',
    'Access Modes',
    'Reclaim Policy',
    'Status',
    'Claim',
    'StorageClass',
    'VolumeAttributesClass',
    'Reason',
    'Age',
    wide('VolumeMode'),
  ],
  (volume, nowMs) => {
    const claim = volume.spec?.claimRef;
    return [
      nameOf(volume),
      volume.spec?.capacity?.['storage'] ?? '0',
      formatAccessModes(volume.spec?.accessModes),
      volume.spec?.persistentVolumeReclaimPolicy ?? '',
      isDeleting(volume) ? 'Terminating' : (volume.status?.phase ?? ''),
      claim ? `${claim.namespace ?? ''}/${claim.name ?? ''}` : '',
      className(volume),
      volume.spec?.volumeAttributesClassName ?? '<unset>',
      volume.status?.reason ?? '',
      age(volume, nowMs),
      volume.spec?.volumeMode ?? '<unset>',
    ];
  },
);

export const persistentVolumeClaimTable = defineTable<PersistentVolumeClaim>(
  [nameColumn, 'Status', 'Volume', 'Capacity', 'Access Modes', 'StorageClass', 'VolumeAttributesClass', 'Age', wide('VolumeMode')],
  (claim, nowMs) => {
    const volumeName = claim.spec?.volumeName ?? '';
    return [
      nameOf(claim),
      isDeleting(claim) ? 'Terminating' : (claim.status?.phase ?? ''),
      volumeName,
      volumeName === '' ? '' : (claim.status?.capacity?.['storage'] ?? '0'),
      volumeName === '' ? '' : formatAccessModes(claim.status?.accessModes),
      className(claim),
      claim.spec?.volumeAttributesClassName ?? '<unset>',
      age(claim, nowMs),
      claim.spec?.volumeMode ?? '<unset>',
    ];
  },
);
