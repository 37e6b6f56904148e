import { type DeepReadonly, nameIsDNSSubdomain, type ResourceStrategy, type StrategyContext } from '@skiff/apimachinery';
import type { PersistentVolume } from '../../generated/types/core-v1.ts';
import { keepField, specStrategy, statusStrategy } from '../../spec-and-status.ts';
import { persistentVolumeWarnings } from './persistent-volume-warnings.ts';
import { validatePersistentVolume, validatePersistentVolumeUpdate } from './validate-persistent-volume.ts';

export function defaultPersistentVolume(volume: PersistentVolume): void {
  (volume.status ??= {}).phase ||= 'Pending';
  const spec = (volume.spec ??= {});
  spec.persistentVolumeReclaimPolicy ||= 'Retain';
  spec.volumeMode ??= 'Filesystem';
  if (spec.hostPath) spec.hostPath.type ??= '';
}

export const persistentVolumeStrategy: ResourceStrategy<PersistentVolume> = specStrategy<PersistentVolume>(
  {},
  {
    validateName: nameIsDNSSubdomain,
    prepareForCreate(draft, { now }) {
      draft.status = { phase: 'Pending', lastPhaseTransitionTime: now };
    },
    validate: (volume, errors) => validatePersistentVolume(volume, errors),
    validateUpdate: validatePersistentVolumeUpdate,
    warnings: persistentVolumeWarnings,
  },
);

export const persistentVolumeStatusStrategy: ResourceStrategy<PersistentVolume> = statusStrategy<PersistentVolume>({
  prepareForUpdate: stampPhaseTransition,
});

/** A writer that does not know the time of transition keeps the old one, or gets a new one with a new phase. */
function stampPhaseTransition(draft: PersistentVolume, old: DeepReadonly<PersistentVolume>, { now }: StrategyContext): void {
  const status = (draft.status ??= {});
  const before = old.status ?? {};
  const written = status.lastPhaseTransitionTime;
  if (status.phase === before.phase) {
    if (written === undefined) keepField(status, before, 'lastPhaseTransitionTime');
  } else if (written === undefined || written === before.lastPhaseTransitionTime) {
    status.lastPhaseTransitionTime = now;
  }
}
