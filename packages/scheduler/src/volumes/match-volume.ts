import { type CSIDriver, type CSIStorageCapacity, nodeTermMatches, type StorageClass } from '@skiff/api';
import { compareQuantities, type DeepReadonly } from '@skiff/apimachinery';
import type { Lister } from '@skiff/client';
import { compileLabelSelector, labelsOf } from '../framework/label-selector.ts';
import type { NodeInfo } from '../framework/node-info.ts';
import type { ClaimView, VolumeView } from './pod-claims.ts';

/** Whether a volume can be used on a node. */
export const isReachable = (volume: VolumeView, node: NodeInfo): boolean => {
  const required = volume.spec?.nodeAffinity?.required;
  return required === undefined || required.nodeSelectorTerms.some((term) => nodeTermMatches(term, node));
};

/** The smallest volume that will do for a claim on a node, or the one that was set aside for it. */
export function findVolume(claim: ClaimView, node: NodeInfo, volumes: readonly VolumeView[]): VolumeView | undefined {
  let best: VolumeView | undefined;
  for (const volume of volumes) {
    if (!isReachable(volume, node) || !suits(volume, claim)) continue;
    if (volume.spec?.claimRef !== undefined) {
      if (isSetAsideFor(volume, claim)) return volume;
      continue;
    }
    if (volume.status?.phase !== 'Available' || !isSelected(volume, claim)) continue;
    if (best === undefined || compareQuantities(capacityOf(volume), capacityOf(best)) < 0) best = volume;
  }
  return best;
}

const capacityOf = (volume: VolumeView): string => volume.spec?.capacity?.['storage'] ?? '0';

function suits({ metadata, spec }: VolumeView, { spec: wanted }: ClaimView): boolean {
  if (metadata?.deletionTimestamp !== undefined || wanted === undefined) return false;
  return (
    (spec?.storageClassName ?? '') === (wanted.storageClassName ?? '') &&
    (spec?.volumeMode ?? 'Filesystem') === (wanted.volumeMode ?? 'Filesystem') &&
    (spec?.volumeAttributesClassName ?? '') === (wanted.volumeAttributesClassName ?? '') &&
    (wanted.accessModes ?? []).every((mode) => spec?.accessModes?.includes(mode) ?? false) &&
    compareQuantities(spec?.capacity?.['storage'] ?? '0', wanted.resources?.requests?.['storage'] ?? '0') >= 0
  );
}

const isSelected = (volume: VolumeView, claim: ClaimView): boolean =>
  claim.spec?.selector === undefined || compileLabelSelector(claim.spec.selector)(labelsOf(volume));

function isSetAsideFor(volume: VolumeView, claim: ClaimView): boolean {
  const reference = volume.spec?.claimRef;
  return (
    reference?.namespace === claim.metadata?.namespace &&
    reference?.name === claim.metadata?.name &&
    (!reference?.uid || reference.uid === claim.metadata?.uid)
  );
}

/** What is known of the room that drivers have. */
export interface CapacityListers {
  readonly drivers: Lister<CSIDriver>;
  readonly capacities: Lister<CSIStorageCapacity>;
}

/** Whether a driver that tells of its room (CSIDriver `storageCapacity`) has enough of it for a claim on a node. */
export function hasRoom(claim: ClaimView, storageClass: DeepReadonly<StorageClass>, node: NodeInfo, o: CapacityListers): boolean {
  const wanted = claim.spec?.resources?.requests?.['storage'];
  if (wanted === undefined || o.drivers.get({ name: storageClass.provisioner })?.spec?.storageCapacity !== true) return true;
  return o.capacities.list().some((c) => {
    if (c.storageClassName !== storageClass.metadata?.name || c.nodeTopology === undefined) return false;
    // The largest volume, where the driver knows it; else all that is free.
    const limit = c.maximumVolumeSize ?? c.capacity;
    return limit !== undefined && compareQuantities(limit, wanted) >= 0 && compileLabelSelector(c.nodeTopology)(node.labels);
  });
}

/** Whether a class can make a volume for a node. */
export function canProvision(storageClass: DeepReadonly<StorageClass> | undefined, node: NodeInfo): boolean {
  if (!storageClass?.provisioner || storageClass.provisioner === 'kubernetes.io/no-provisioner') return false;
  const topologies = storageClass.allowedTopologies ?? [];
  return (
    topologies.length === 0 ||
    topologies.some((term) =>
      (term.matchLabelExpressions ?? []).every(({ key, values }) => node.labels[key] !== undefined && values.includes(node.labels[key])),
    )
  );
}
