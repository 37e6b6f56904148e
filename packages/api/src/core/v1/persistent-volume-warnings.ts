import type { DeepReadonly } from '@skiff/apimachinery';
import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../generated/types/core-v1.ts';
import { fractionWarnings, nodeSelectorTermWarnings } from './pod/warnings.ts';

export const betaStorageClass = 'volume.beta.kubernetes.io/storage-class';
const useAttribute = 'deprecated since v1.8; use "storageClassName" attribute instead';

const deprecatedAnnotations: readonly (readonly [key: string, message: string])[] = [
  [betaStorageClass, useAttribute],
  ['volume.beta.kubernetes.io/mount-options', 'deprecated since v1.31; use "mountOptions" attribute instead'],
];

/** Field, what the warning calls it, since when it is deprecated, and since when it does nothing. */
const gone = [
  ['cephfs', 'cephfs', '1.28', '1.31'],
  ['photonPersistentDisk', 'photonPersistentDisk', '1.11', '1.16'],
  ['scaleIO', 'scaleIO', '1.16', '1.22'],
  ['storageos', 'storageOS', '1.22', '1.25'],
  ['glusterfs', 'glusterfs', '1.25', '1.26'],
  ['rbd', 'rbd', '1.28', '1.31'],
] as const;

export function persistentVolumeWarnings(volume: DeepReadonly<PersistentVolume>): string[] {
  const { annotations = {} } = volume.metadata ?? {};
  const spec = volume.spec ?? {};
  return [
    ...deprecatedAnnotations.flatMap(([key, message]) =>
      annotations[key] === undefined ? [] : [`metadata.annotations[${key}]: ${message}`],
    ),
    ...(spec.persistentVolumeReclaimPolicy === 'Recycle'
      ? [
          'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
        ]
      : []),
    ...(spec.nodeAffinity?.required?.nodeSelectorTerms ?? []).flatMap((term, i) =>
      nodeSelectorTermWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`),
    ),
    ...gone.flatMap(([field, name, since, until]) =>
      spec[field] === undefined ? [] : [`spec.${name}: deprecated in v${since}, non-functional in v${until}+`],
    ),
  ];
}

export const claimSpecWarnings = (spec: DeepReadonly<PersistentVolumeClaimSpec> | undefined, path: string): string[] => [
  ...fractionWarnings(spec?.resources?.requests?.['storage'], `${path}.resources.requests[storage]`),
  ...fractionWarnings(spec?.resources?.limits?.['storage'], `${path}.resources.limits[storage]`),
];

export const claimWarnings = (claim: DeepReadonly<PersistentVolumeClaim>): string[] => [
  ...(claim.metadata?.annotations?.[betaStorageClass] === undefined ? [] : [`metadata.annotations[${betaStorageClass}]: ${useAttribute}`]),
  ...claimSpecWarnings(claim.spec, 'spec'),
];
