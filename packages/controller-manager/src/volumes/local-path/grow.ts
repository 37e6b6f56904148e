import {
  persistentVolume as volumes,
  persistentVolumeClaim as claims,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '@skiff/api';
import { compareQuantities, quantityValue } from '@skiff/apimachinery';
import type { Writing } from '../bind.ts';
import type { ClaimView, VolumeView } from '../claim-facts.ts';
import { nodeOf } from './local-path.ts';
import { NodeHasNoRoom } from './node-volumes.ts';
import type { LocalPathWorld } from './provision.ts';

const requestOf = (claim: ClaimView): string => claim.spec?.resources?.requests?.['storage'] ?? '0';
const sizeOf = (volume: VolumeView): string => volume.spec?.capacity?.['storage'] ?? '0';

/** Whether a bound claim asks for more than its volume has, or does not yet say what it has. */
export const wantsMore = (claim: ClaimView, volume: VolumeView): boolean =>
  compareQuantities(requestOf(claim), sizeOf(volume)) > 0 ||
  compareQuantities(requestOf(claim), claim.status?.capacity?.['storage'] ?? '0') > 0;

/** A directory grows where its node has the room: the new size is written into the volume, and then into the claim's status. */
export async function grow(claim: ClaimView, volume: VolumeView, world: LocalPathWorld, w: Writing): Promise<void> {
  const { name = '' } = volume.metadata ?? {};
  const size = requestOf(claim);
  try {
    await world.disks.ensure(nodeOf(volume) ?? '', name, Number(quantityValue(size)));
  } catch (error) {
    w.signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    world.events.event(claim, 'Warning', 'VolumeResizeFailed', `resize volume "${name}" failed: ${why}`);
    if (error instanceof NodeHasNoRoom) return;
    throw error;
  }
  if (compareQuantities(size, sizeOf(volume)) > 0) {
    const draft = structuredClone(volume) as PersistentVolume;
    draft.spec = { ...draft.spec, capacity: { ...draft.spec?.capacity, storage: size } };
    await w.client.update(volumes, draft, { signal: w.signal });
  }
  const draft = structuredClone(claim) as PersistentVolumeClaim;
  const resizing = new Set(['Resizing', 'FileSystemResizePending', 'ControllerResizeError', 'NodeResizeError']);
  draft.status = {
    ...draft.status,
    capacity: { ...draft.status?.capacity, storage: size },
    allocatedResources: { ...draft.status?.allocatedResources, storage: size },
    ...(draft.status?.conditions === undefined ? {} : { conditions: draft.status.conditions.filter((c) => !resizing.has(c.type)) }),
  };
  await w.client.updateStatus(claims, draft, { signal: w.signal });
  world.events.event(claim, 'Normal', 'VolumeResizeSuccessful', 'Resize volume succeeded');
}
