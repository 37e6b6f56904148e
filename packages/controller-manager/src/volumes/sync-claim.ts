import { persistentVolumeClaim as claims, type PersistentVolumeClaim } from '@skiff/api';
import type { EventRecorder, ReconcileContext } from '@skiff/client';
import { bind, setClaimStatus, type Writing } from './bind.ts';
import {
  annotations,
  claimKeyOf,
  claimRefKey,
  classNameOf,
  defaultClass,
  hasClass,
  isBoundTo,
  type ClaimView,
  type ClassView,
  type VolumeView,
} from './claim-facts.ts';
import { findVolumeFor, whyUnsuitable } from './match-volume.ts';

export interface ClaimWorld {
  readonly volume: (name: string) => VolumeView | undefined;
  readonly volumes: () => readonly VolumeView[];
  readonly storageClass: (name: string) => ClassView | undefined;
  readonly classes: () => readonly ClassView[];
  /** Names of pods without a node that use the claim. */
  readonly waitingPods: (claim: ClaimView) => readonly string[];
  readonly events: EventRecorder;
}

/** One look at a claim: completes its binding, finds it a volume, asks for one to be made, or finds out that it has lost its own. */
export async function syncClaim(claim: ClaimView, world: ClaimWorld, run: ReconcileContext): Promise<void> {
  const w: Writing = run;
  if (claim.metadata?.annotations?.[annotations.bindCompleted] !== undefined) return await syncBound(claim, world, w);
  const wanted = claim.spec?.volumeName ?? '';
  if (wanted === '') return await syncFree(claim, world, w);
  await syncNamed(claim, world.volume(wanted), world, w);
}

async function syncBound(claim: ClaimView, world: ClaimWorld, w: Writing): Promise<void> {
  const name = claim.spec?.volumeName ?? '';
  const volume = name === '' ? undefined : world.volume(name);
  const lose = async (reason: string, message: string): Promise<void> => {
    if (claim.status?.phase === 'Lost') return;
    await setClaimStatus(claim, { phase: 'Lost' }, w);
    world.events.event(claim, 'Warning', reason, message);
  };
  if (name === '') return await lose('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!');
  if (volume === undefined) return await lose('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  if (volume.spec?.claimRef !== undefined && volume.spec.claimRef.uid !== claim.metadata?.uid)
    return await lose('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
  await bind(volume, claim, w);
}

/** The claim names its volume. */
async function syncNamed(claim: ClaimView, volume: VolumeView | undefined, world: ClaimWorld, w: Writing): Promise<void> {
  const wait = async (): Promise<void> => void (await setClaimStatus(claim, { phase: 'Pending' }, w));
  if (volume === undefined) return await wait();
  const name = volume.metadata?.name ?? '';
  if (volume.spec?.claimRef === undefined) {
    const reason = whyUnsuitable(volume, claim);
    if (reason === undefined) return await bind(volume, claim, w);
    world.events.event(claim, 'Warning', 'VolumeMismatch', `Cannot bind to requested volume "${name}": ${reason}`);
    return await wait();
  }
  if (isBoundTo(volume, claim)) return await bind(volume, claim, w);
  world.events.event(claim, 'Warning', 'FailedBinding', `volume "${name}" already bound to a different claim.`);
  if (claim.metadata?.annotations?.[annotations.boundByController] === undefined) return await wait();
  // This controller never leaves things like that; somebody else wrote it.
  throw new Error(
    `invalid binding of claim "${claimKeyOf(claim)}" to volume "${name}": volume already claimed by "${claimRefKey(volume) ?? ''}"`,
  );
}

/** Any volume will do. */
async function syncFree(claim: ClaimView, world: ClaimWorld, w: Writing): Promise<void> {
  const storageClass = world.storageClass(classNameOf(claim));
  const isDelayed = storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
  const volume = findVolumeFor(claim, world.volumes(), isDelayed);
  if (volume !== undefined) return await bind(volume, claim, w);
  if (await assignDefaultClass(claim, world, w)) return;
  const isSelected = claim.metadata?.annotations?.[annotations.selectedNode] !== undefined;
  if (isDelayed && !isSelected) {
    const pods = world.waitingPods(claim);
    if (pods.length === 0)
      world.events.event(claim, 'Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
    else
      world.events.event(
        claim,
        'Normal',
        'WaitForPodScheduled',
        `waiting for ${pods.length > 1 ? 'pods' : 'pod'} ${pods.join(',')} to be scheduled`,
      );
  } else if (classNameOf(claim) !== '') return await askForVolume(claim, storageClass, world, w);
  else world.events.event(claim, 'Normal', 'FailedBinding', 'no persistent volumes available for this claim and no storage class is set');
  await setClaimStatus(claim, { phase: 'Pending' }, w);
}

/** A claim from before there was a default class gets it now (KEP-3333). */
async function assignDefaultClass(claim: ClaimView, world: ClaimWorld, w: Writing): Promise<boolean> {
  if (hasClass(claim)) return false;
  const name = defaultClass(world.classes())?.metadata?.name;
  if (name === undefined) return false;
  const draft = structuredClone(claim) as PersistentVolumeClaim;
  draft.spec = { ...draft.spec, storageClassName: name };
  await w.client.update(claims, draft, { signal: w.signal });
  return true;
}

/** Tells the provisioner of the class, by annotation, that the claim is its to serve. */
async function askForVolume(claim: ClaimView, storageClass: ClassView | undefined, world: ClaimWorld, w: Writing): Promise<void> {
  const fail = (message: string): void => world.events.event(claim, 'Warning', 'ProvisioningFailed', message);
  if (storageClass === undefined) return fail(`storageclass.storage.k8s.io "${classNameOf(claim)}" not found`);
  const { provisioner } = storageClass;
  // Names of volume plugins that were part of the controller once; `no-provisioner` is the one for volumes that are made by hand.
  if (provisioner.startsWith('kubernetes.io/')) return fail(`no volume plugin matched name: ${provisioner}`);
  const present = claim.metadata?.annotations ?? {};
  if (present[annotations.provisioner] !== provisioner || present[annotations.betaProvisioner] !== provisioner) {
    const draft = structuredClone(claim) as PersistentVolumeClaim;
    draft.metadata = {
      ...draft.metadata,
      annotations: { ...present, [annotations.betaProvisioner]: provisioner, [annotations.provisioner]: provisioner },
    };
    await w.client.update(claims, draft, { signal: w.signal });
  }
  world.events.event(
    claim,
    'Normal',
    'ExternalProvisioning',
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
  );
}
