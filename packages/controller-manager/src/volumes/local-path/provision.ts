import {
  persistentVolume as volumes,
  persistentVolumeClaim as claims,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '@skiff/api';
import { hasReason, quantityValue, type DeepReadonly } from '@skiff/apimachinery';
import type { EventRecorder } from '@skiff/client';
import type { Writing } from '../bind.ts';
import { annotations, claimKeyOf, type ClaimView, type ClassView, type VolumeView } from '../claim-facts.ts';
import { chooseNode, isAllowed, localPathFinalizer, nodeOf, renderVolume, whyRefused } from './local-path.ts';
import { NodeHasNoRoom, type NodeVolumes } from './node-volumes.ts';

export interface LocalPathWorld {
  readonly node: (name: string) => DeepReadonly<Node> | undefined;
  readonly nodes: () => readonly DeepReadonly<Node>[];
  readonly volumes: () => readonly VolumeView[];
  readonly events: EventRecorder;
  readonly disks: NodeVolumes;
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Makes the directory and the volume of a claim that waits for one. */
export async function provision(claim: ClaimView, storageClass: ClassView, world: LocalPathWorld, w: Writing): Promise<void> {
  const failed = (why: string): void =>
    world.events.event(
      claim,
      'Warning',
      'ProvisioningFailed',
      `failed to provision volume with StorageClass "${storageClass.metadata?.name ?? ''}": ${why}`,
    );
  const refusal = whyRefused(claim, storageClass);
  if (refusal !== undefined) return failed(refusal);
  const selected = claim.metadata?.annotations?.[annotations.selectedNode];
  const isDelayed = storageClass.volumeBindingMode === 'WaitForFirstConsumer';
  if (isDelayed && selected === undefined) return;
  const nodeName = selected ?? chooseNode(world.nodes(), storageClass, world.volumes());
  const node = nodeName === undefined ? undefined : world.node(nodeName);
  if (node === undefined) {
    failed(nodeName === undefined ? 'no node that is ready can have it' : `node "${nodeName}" not found`);
    if (selected !== undefined) await reschedule(claim, w);
    return;
  }
  // Who may write claims can write the annotation as well.
  if (!isAllowed(node, storageClass)) {
    failed(`node "${nodeName}" is not in the class's allowedTopologies`);
    if (selected !== undefined) await reschedule(claim, w);
    return;
  }
  const name = `pvc-${claim.metadata?.uid ?? ''}`;
  world.events.event(claim, 'Normal', 'Provisioning', `External provisioner is provisioning volume for claim "${claimKeyOf(claim)}"`);
  let path: string;
  try {
    path = await world.disks.ensure(nodeName ?? '', name, Number(quantityValue(claim.spec?.resources?.requests?.['storage'] ?? '0')));
  } catch (error) {
    w.signal.throwIfAborted();
    failed(text(error));
    // Another node may have the room.
    if (error instanceof NodeHasNoRoom && selected !== undefined) return await reschedule(claim, w);
    throw error;
  }
  try {
    await w.client.create(volumes, renderVolume(claim, storageClass, { name, node, path }), { signal: w.signal });
  } catch (error) {
    if (!hasReason(error, 'AlreadyExists')) throw error;
  }
  world.events.event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`);
}

/** Has the scheduler choose again. */
async function reschedule(claim: ClaimView, w: Writing): Promise<void> {
  const draft = structuredClone(claim) as PersistentVolumeClaim;
  const { [annotations.selectedNode]: _chosen, ...rest } = draft.metadata?.annotations ?? {};
  draft.metadata = { ...draft.metadata, annotations: rest };
  await w.client.update(claims, draft, { signal: w.signal });
}

const withFinalizers = (volume: VolumeView, finalizers: readonly string[]): PersistentVolume => {
  const draft = structuredClone(volume) as PersistentVolume;
  draft.metadata = { ...draft.metadata, finalizers: [...finalizers] };
  return draft;
};

/**
 * Deletes what the reclaim policy says is to go: first the directory, then the object. While the node is away the volume stays as it is;
 * it is looked at again when the node comes back.
 */
export async function reclaim(volume: VolumeView, world: LocalPathWorld, w: Writing): Promise<void> {
  const { name = '', finalizers = [], deletionTimestamp } = volume.metadata ?? {};
  const isDeleting = deletionTimestamp !== undefined;
  const isToGo = volume.spec?.persistentVolumeReclaimPolicy === 'Delete';
  const others = finalizers.filter((f) => f !== localPathFinalizer);
  const isHeld = others.length !== finalizers.length;
  if (isToGo !== isHeld && !isDeleting) {
    await w.client.update(volumes, withFinalizers(volume, isToGo ? [...others, localPathFinalizer] : others), { signal: w.signal });
    return;
  }
  const isReleased = volume.status?.phase === 'Released' || volume.status?.phase === 'Failed';
  // A volume that is deleted while it is bound is kept by its protection; then this one's turn comes.
  if (!isToGo || !(isReleased || (isDeleting && isHeld && others.length === 0))) return;
  const nodeName = nodeOf(volume) ?? '';
  if (world.node(nodeName) === undefined) {
    const what = `node "${nodeName}" is not there: its disk can't be reached`;
    if (isDeleting && isHeld) return void (await w.client.update(volumes, withFinalizers(volume, others), { signal: w.signal }));
    return world.events.event(volume, 'Warning', 'VolumeFailedDelete', `${what}; delete this object if the node does not come back`);
  }
  // What is lost now can't be brought back: the cache may be behind somebody who keeps the volume.
  const live = await w.client.get(volumes, { name }, { signal: w.signal }).catch((error: unknown) => {
    if (hasReason(error, 'NotFound')) return undefined;
    throw error;
  });
  if (live?.metadata?.resourceVersion !== volume.metadata?.resourceVersion) return;
  try {
    await world.disks.remove(nodeName, name);
  } catch (error) {
    w.signal.throwIfAborted();
    world.events.event(volume, 'Warning', 'VolumeFailedDelete', text(error));
    throw error;
  }
  if (!isDeleting) {
    const { uid = '' } = volume.metadata ?? {};
    await w.client.delete(volumes, { name }, { preconditions: { uid }, signal: w.signal });
  }
  if (isHeld) {
    const current = await w.client.get(volumes, { name }, { signal: w.signal });
    const left = (current.metadata?.finalizers ?? []).filter((f) => f !== localPathFinalizer);
    await w.client.update(volumes, withFinalizers(current, left), { signal: w.signal });
  }
}
