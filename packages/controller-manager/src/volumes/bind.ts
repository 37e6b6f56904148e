import {
  persistentVolume as volumes,
  persistentVolumeClaim as claims,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '@skiff/api';
import { compareQuantities } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import { annotations, claimKeyOf, claimRefKey, isBoundTo, type ClaimView, type VolumeView } from './claim-facts.ts';

export interface Writing {
  readonly client: Client;
  readonly signal: AbortSignal;
}

const draftOfClaim = (claim: ClaimView): PersistentVolumeClaim => structuredClone(claim) as PersistentVolumeClaim;
const draftOfVolume = (volume: VolumeView): PersistentVolume => structuredClone(volume) as PersistentVolume;

/** The volume as it is when it belongs to the claim; undefined when it does already. */
export function renderVolumeFor(volume: VolumeView, claim: ClaimView): PersistentVolume | undefined {
  const ref = volume.spec?.claimRef;
  const known = ref !== undefined && claimRefKey(volume) === claimKeyOf(claim) && ref.uid === claim.metadata?.uid;
  const chosenHere = !isBoundTo(volume, claim) && volume.metadata?.annotations?.[annotations.boundByController] === undefined;
  if (known && !chosenHere) return undefined;
  const draft = draftOfVolume(volume);
  if (!known) {
    const { namespace, name, uid, resourceVersion } = claim.metadata ?? {};
    draft.spec = {
      ...draft.spec,
      claimRef: {
        kind: 'PersistentVolumeClaim',
        apiVersion: 'v1',
        ...(namespace !== undefined && { namespace }),
        ...(name !== undefined && { name }),
        ...(uid !== undefined && { uid }),
        ...(resourceVersion !== undefined && { resourceVersion }),
      },
    };
  }
  if (chosenHere)
    draft.metadata = { ...draft.metadata, annotations: { ...draft.metadata?.annotations, [annotations.boundByController]: 'yes' } };
  return draft;
}

/** The claim as it is when the volume is its own; undefined when it says so already. */
export function renderClaimFor(claim: ClaimView, volume: VolumeView): PersistentVolumeClaim | undefined {
  const name = volume.metadata?.name ?? '';
  const isNew = claim.spec?.volumeName !== name;
  const present = claim.metadata?.annotations ?? {};
  if (!isNew && present[annotations.bindCompleted] !== undefined) return undefined;
  const draft = draftOfClaim(claim);
  if (isNew) draft.spec = { ...draft.spec, volumeName: name };
  draft.metadata = {
    ...draft.metadata,
    annotations: {
      ...present,
      [annotations.bindCompleted]: present[annotations.bindCompleted] ?? 'yes',
      ...(isNew && present[annotations.boundByController] === undefined ? { [annotations.boundByController]: 'yes' } : {}),
    },
  };
  return draft;
}

/** A claim with the status that goes with a phase and its volume; undefined when it has it. Throws when the volume has no size. */
export function renderClaimStatus(claim: ClaimView, phase: string, volume: VolumeView | undefined): PersistentVolumeClaim | undefined {
  const status = claim.status ?? {};
  const next: NonNullable<PersistentVolumeClaim['status']> = structuredClone(status) as NonNullable<PersistentVolumeClaim['status']>;
  next.phase = phase;
  if (volume === undefined) {
    delete next.accessModes;
    delete next.capacity;
    delete next.currentVolumeAttributesClassName;
  } else {
    next.accessModes = [...(volume.spec?.accessModes ?? [])];
    if (status.phase !== phase) {
      const size = volume.spec?.capacity?.['storage'];
      if (size === undefined) throw new Error(`PersistentVolume "${volume.metadata?.name ?? ''}" is without a storage capacity`);
      const before = volume.metadata?.annotations?.[annotations.preResizeCapacity];
      const own = status.capacity?.['storage'];
      if (before !== undefined) next.capacity = { ...next.capacity, storage: before };
      else if (own === undefined || compareQuantities(own, size) !== 0) next.capacity = { ...volume.spec?.capacity };
    }
    const attributes = volume.spec?.volumeAttributesClassName;
    if (status.phase === 'Pending' && phase === 'Bound' && attributes !== undefined) next.currentVolumeAttributesClassName = attributes;
  }
  if (JSON.stringify(next) === JSON.stringify(status)) return undefined;
  const draft = draftOfClaim(claim);
  draft.status = next;
  return draft;
}

/** Writes the claim's phase and what goes with it. Returns the claim as it is then. */
export async function setClaimStatus(
  claim: ClaimView,
  o: { phase: string; volume?: VolumeView | undefined },
  w: Writing,
): Promise<ClaimView> {
  const draft = renderClaimStatus(claim, o.phase, o.volume);
  return draft === undefined ? claim : await w.client.updateStatus(claims, draft, { signal: w.signal });
}

export async function setVolumePhase(volume: VolumeView, phase: string, w: Writing, message = ''): Promise<VolumeView> {
  if (volume.status?.phase === phase) return volume;
  const draft = draftOfVolume(volume);
  const status: NonNullable<PersistentVolume['status']> = { ...draft.status, phase };
  if (message === '') delete status.message;
  else status.message = message;
  draft.status = status;
  return await w.client.updateStatus(volumes, draft, { signal: w.signal });
}

/**
 * Binds in four writes, each by compare-and-set: the volume's reference, its phase, the claim's reference, its status. Whatever is cut
 * off on the way is completed by the next look at either of them.
 */
export async function bind(volume: VolumeView, claim: ClaimView, w: Writing): Promise<void> {
  const boundVolume = renderVolumeFor(volume, claim);
  let current: VolumeView = boundVolume === undefined ? volume : await w.client.update(volumes, boundVolume, { signal: w.signal });
  current = await setVolumePhase(current, 'Bound', w);
  const boundClaim = renderClaimFor(claim, current);
  const own = boundClaim === undefined ? claim : await w.client.update(claims, boundClaim, { signal: w.signal });
  await setClaimStatus(own, { phase: 'Bound', volume: current }, w);
}

/** Gives a volume back: free for anybody, or for a claim of the name that its creator set it aside for. */
export async function unbind(volume: VolumeView, w: Writing): Promise<void> {
  const draft = draftOfVolume(volume);
  const notes = { ...draft.metadata?.annotations };
  const spec = { ...draft.spec };
  if (notes[annotations.boundByController] === undefined) {
    const ref = { ...spec.claimRef };
    delete ref.uid;
    spec.claimRef = ref;
  } else {
    delete spec.claimRef;
    delete notes[annotations.boundByController];
  }
  draft.spec = spec;
  draft.metadata = { ...draft.metadata, annotations: notes };
  await setVolumePhase(await w.client.update(volumes, draft, { signal: w.signal }), 'Available', w);
}
