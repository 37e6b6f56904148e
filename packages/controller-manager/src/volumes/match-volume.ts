import { compareQuantities } from '@skiff/apimachinery';
import { labelSelectorMatcher } from '../label-selector.ts';
import { classNameOf, isBoundTo, type ClaimView, type VolumeView } from './claim-facts.ts';

const capacityOf = (volume: VolumeView): string => volume.spec?.capacity?.['storage'] ?? '0';
const requestOf = (claim: ClaimView): string => claim.spec?.resources?.requests?.['storage'] ?? '0';
const sameMode = (volume: VolumeView, claim: ClaimView): boolean =>
  (volume.spec?.volumeMode ?? 'Filesystem') === (claim.spec?.volumeMode ?? 'Filesystem');
const sameAttributes = (volume: VolumeView, claim: ClaimView): boolean =>
  (volume.spec?.volumeAttributesClassName ?? '') === (claim.spec?.volumeAttributesClassName ?? '');
const hasModes = (volume: VolumeView, claim: ClaimView): boolean =>
  (claim.spec?.accessModes ?? []).every((mode) => volume.spec?.accessModes?.includes(mode) ?? false);

/** Why a volume that was asked for by name can't be bound to a claim; undefined: it can. Upstream's texts. */
export function whyUnsuitable(volume: VolumeView, claim: ClaimView): string | undefined {
  if (volume.metadata?.deletionTimestamp !== undefined) return `the volume is marked for deletion "${volume.metadata.name ?? ''}"`;
  if (compareQuantities(capacityOf(volume), requestOf(claim)) < 0) return 'requested PV is too small';
  if (classNameOf(volume) !== classNameOf(claim)) return 'storageClassName does not match';
  if (!sameAttributes(volume, claim)) return 'volumeAttributesClassName does not match';
  if (!sameMode(volume, claim)) return 'incompatible volumeMode';
  return hasModes(volume, claim) ? undefined : 'incompatible accessMode';
}

export const sameVolumeMode = sameMode;

/**
 * The volume to bind to a claim that names none: one that was set aside for it, else the smallest free one that will do, of those with
 * the fewest access modes. `isDelayed`: a free one is chosen by the scheduler (WaitForFirstConsumer).
 */
export function findVolumeFor(claim: ClaimView, volumes: readonly VolumeView[], isDelayed: boolean): VolumeView | undefined {
  const matches = claim.spec?.selector === undefined ? undefined : labelSelectorMatcher(claim.spec.selector);
  let best: VolumeView | undefined;
  for (const volume of volumes) {
    if (volume.metadata?.deletionTimestamp !== undefined || !hasModes(volume, claim)) continue;
    if (compareQuantities(capacityOf(volume), requestOf(claim)) < 0 || !sameMode(volume, claim) || !sameAttributes(volume, claim)) continue;
    if (volume.spec?.claimRef !== undefined) {
      if (isBoundTo(volume, claim)) return volume;
      continue;
    }
    if (isDelayed || volume.status?.phase !== 'Available' || classNameOf(volume) !== classNameOf(claim)) continue;
    if (matches !== undefined && !matches(volume.metadata?.labels)) continue;
    if (best === undefined || isBetter(volume, best)) best = volume;
  }
  return best;
}

function isBetter(a: VolumeView, b: VolumeView): boolean {
  const byModes = (a.spec?.accessModes?.length ?? 0) - (b.spec?.accessModes?.length ?? 0);
  return byModes !== 0 ? byModes < 0 : compareQuantities(capacityOf(a), capacityOf(b)) < 0;
}
