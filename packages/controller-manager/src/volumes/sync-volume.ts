import { persistentVolumeClaim as claims } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import type { Client, EventRecorder, ReconcileContext } from '@skiff/client';
import { setVolumePhase, unbind, type Writing } from './bind.ts';
import { annotations, claimKeyOf, type ClaimView, type VolumeView } from './claim-facts.ts';
import { sameVolumeMode } from './match-volume.ts';

export interface VolumeWorld {
  readonly claim: (namespace: string, name: string) => ClaimView | undefined;
  readonly events: EventRecorder;
  /** Reads past the cache. */
  readonly live: Client;
  readonly lookAtClaim: (key: string) => void;
}

const isGivenBack = (volume: VolumeView): boolean => volume.status?.phase === 'Released' || volume.status?.phase === 'Failed';

/** One look at a volume: its phase follows from the claim that it names, and what happens to it when that claim is gone. */
export async function syncVolume(volume: VolumeView, world: VolumeWorld, run: ReconcileContext): Promise<void> {
  const w: Writing = run;
  const ref = volume.spec?.claimRef;
  if (ref === undefined || (ref.uid ?? '') === '') return void (await setVolumePhase(volume, 'Available', w));
  const claim = await claimOf(volume, world, w);
  if (claim === undefined) return await release(volume, world, w);
  const name = volume.metadata?.name ?? '';
  const bound = claim.spec?.volumeName ?? '';
  if (bound === '') {
    if (sameVolumeMode(volume, claim)) return world.lookAtClaim(claimKeyOf(claim));
    const text = (what: string): string => `Cannot bind ${what} due to incompatible volumeMode.`;
    world.events.event(
      volume,
      'Warning',
      'VolumeMismatch',
      text(`PersistentVolume to requested PersistentVolumeClaim "${claim.metadata?.name ?? ''}"`),
    );
    world.events.event(claim, 'Warning', 'VolumeMismatch', text(`PersistentVolume "${name}" to requested PersistentVolumeClaim`));
    return;
  }
  if (bound === name) return void (await setVolumePhase(volume, 'Bound', w));
  // The claim went to another volume. One that was made for it is of no use to anybody else.
  const isMadeForIt = volume.metadata?.annotations?.[annotations.provisionedBy] !== undefined;
  if (isMadeForIt && volume.spec?.persistentVolumeReclaimPolicy === 'Delete') return await release(volume, world, w);
  await unbind(volume, w);
}

/** The very claim that the volume names; the cache is not believed where it says that there is none. */
async function claimOf(volume: VolumeView, world: VolumeWorld, w: Writing): Promise<ClaimView | undefined> {
  const { namespace = '', name = '', uid } = volume.spec?.claimRef ?? {};
  const cached = world.claim(namespace, name);
  if (cached?.metadata?.uid === uid) return cached;
  if (cached === undefined && isGivenBack(volume)) return undefined;
  try {
    const live = await world.live.get(claims, { namespace, name }, { signal: w.signal });
    return live.metadata?.uid === uid ? live : undefined;
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** The claim is gone: the reclaim policy decides. Volumes with a driver or a provisioner are deleted by these. */
async function release(volume: VolumeView, world: VolumeWorld, w: Writing): Promise<void> {
  const current = isGivenBack(volume) ? volume : await setVolumePhase(volume, 'Released', w);
  const fail = async (reason: string, message: string): Promise<void> => {
    if (current.status?.phase === 'Failed') return;
    await setVolumePhase(current, 'Failed', w, message);
    world.events.event(current, 'Warning', reason, message);
  };
  switch (current.spec?.persistentVolumeReclaimPolicy ?? 'Retain') {
    case 'Retain':
      return;
    case 'Recycle':
      return await fail('VolumeFailedRecycle', 'No recycler plugin found for the volume!');
    case 'Delete': {
      const provisioner = current.metadata?.annotations?.[annotations.provisionedBy] ?? '';
      const isOthers = provisioner !== '' ? !provisioner.startsWith('kubernetes.io/') : current.spec?.csi !== undefined;
      if (isOthers) return;
      return await fail(
        'VolumeFailedDelete',
        `error getting deleter volume plugin for volume "${current.metadata?.name ?? ''}": no deletable volume plugin matched`,
      );
    }
    default:
      return await fail('VolumeUnknownReclaimPolicy', 'Volume has unrecognized PersistentVolumeReclaimPolicy');
  }
}
