import { readdir } from 'node:fs/promises';
import path from 'node:path';
import {
  persistentVolume as volumes,
  persistentVolumeClaim as claims,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '@skiff/api';
import { compareQuantities, quantityValue, type DeepReadonly } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { Clock, Logger } from '@skiff/component-base';
import type { HostMount } from '../host/host-mount.ts';
import { podsDirectory } from '../volumes/pod-paths.ts';
import { renderCapability } from './volume-capability.ts';
import { isFinal, PluginError } from './channel.ts';
import type { CsiDrivers } from './csi-drivers.ts';
import { readSecret } from './driver-facts.ts';
import { loadVolumeData, type VolumeData } from './volume-data.ts';

export interface GrowVolumesDeps {
  readonly client: Client;
  readonly drivers: CsiDrivers;
  readonly hostMount: HostMount;
  readonly log: Logger;
  readonly clock: Clock;
  /** PersistentVolumes whose drivers have refused to grow them, with what they were asked for; kept from one call to the next. */
  readonly refused: Map<string, string>;
  /** Events of the claim and of the pod that has it mounted. */
  readonly event: (
    about: { claim: PersistentVolumeClaim; podUid: string },
    type: 'Normal' | 'Warning',
    reason: string,
    text: string,
  ) => void;
}

const resizeConditions: ReadonlySet<string> = new Set(['Resizing', 'FileSystemResizePending', 'ControllerResizeError', 'NodeResizeError']);

/** The status of a claim whose file system has grown to a size: what was pending of it is over. */
export function renderGrown(claim: DeepReadonly<PersistentVolumeClaim>, size: string): object {
  const { storage: _done, ...statuses } = claim.status?.allocatedResourceStatuses ?? {};
  return {
    capacity: { ...claim.status?.capacity, storage: size },
    conditions: (claim.status?.conditions ?? []).filter((c) => !resizeConditions.has(c.type)),
    ...(claim.status?.allocatedResourceStatuses === undefined
      ? {}
      : { allocatedResourceStatuses: Object.keys(statuses).length === 0 ? null : { ...statuses, storage: null } }),
  };
}

const stageOf = (claim: DeepReadonly<PersistentVolumeClaim>): string | undefined => claim.status?.allocatedResourceStatuses?.['storage'];

/** The status of a claim whose file system its driver could not grow. `isInfeasible`: it is left to the controller from here on (KEP-1790). */
export function renderNotGrown(claim: DeepReadonly<PersistentVolumeClaim>, why: string, o: { isInfeasible: boolean; now: string }): object {
  const conditions = claim.status?.conditions ?? [];
  const message = `failed to expand pvc with ${why}`;
  const failed = conditions.some((c) => c.type === 'NodeResizeError' && c.status === 'True' && c.message === message)
    ? {}
    : {
        conditions: [
          ...conditions.filter((c) => c.type !== 'NodeResizeError'),
          { type: 'NodeResizeError', status: 'True', lastTransitionTime: o.now, message },
        ],
      };
  return { ...failed, ...(o.isInfeasible ? { allocatedResourceStatuses: { storage: 'NodeResizeInfeasible' } } : {}) };
}

/** InvalidArgument, NotFound, OutOfRange: asking again is in vain. */
const infeasibleCodes: ReadonlySet<number> = new Set([3, 5, 11]);
const isInfeasible = (error: unknown): boolean => error instanceof PluginError && infeasibleCodes.has(error.code);

/**
 * Whether the volume is larger than what the claim says it has: then the node's part is still to be done, unless the controller is not
 * ready, or the driver has said that it can't be done.
 */
export const isToGrow = (claim: DeepReadonly<PersistentVolumeClaim>, volume: DeepReadonly<PersistentVolume>): boolean =>
  claim.status?.phase === 'Bound' &&
  [undefined, 'NodeResizePending', 'NodeResizeInProgress'].includes(stageOf(claim)) &&
  claim.status.capacity?.['storage'] !== undefined &&
  compareQuantities(volume.spec?.capacity?.['storage'] ?? '0', claim.status.capacity['storage']) > 0;

/** Grows the file systems of mounted volumes that their drivers made larger (NodeExpandVolume); looks at all of the node. */
export async function growVolumes(rootDirectory: string, deps: GrowVolumesDeps, signal: AbortSignal): Promise<void> {
  const list = (folder: string): Promise<readonly string[]> => readdir(deps.hostMount.local(folder)).catch(() => []);
  const pods = podsDirectory(rootDirectory);
  const seen = new Set<string>();
  for (const podUid of await list(pods)) {
    for (const kind of ['volumes', 'volumeDevices']) {
      const parent = path.join(pods, podUid, kind, 'kubernetes.io~csi');
      for (const name of await list(parent)) {
        const data = await loadVolumeData(deps.hostMount.local(path.join(parent, name))).catch((error: unknown) => {
          deps.log.warn({ err: error, volume: name }, 'what is known of a volume could not be read');
          return undefined;
        });
        if (data?.volumeLifecycleMode !== 'Persistent' || seen.has(name) || !deps.drivers.has(data.driverName)) continue;
        seen.add(name);
        await growOne(data, { podUid, isBlock: kind === 'volumeDevices' }, deps, signal).catch((error: unknown) => {
          if (!signal.aborted) deps.log.warn({ err: error, volume: name }, 'a volume could not grow; trying again');
        });
      }
    }
  }
}

async function growOne(
  data: VolumeData,
  o: { podUid: string; isBlock: boolean },
  deps: GrowVolumesDeps,
  signal: AbortSignal,
): Promise<void> {
  const { client } = deps;
  const service = deps.drivers.get(data.driverName);
  if (!(await service.has('EXPAND_VOLUME'))) return;
  const volume = await client.get(volumes, { name: data.specVolID }, { signal });
  const { namespace = '', name = '', uid } = volume.spec?.claimRef ?? {};
  const claim = await client.get(claims, { namespace, name }, { signal });
  if (claim.metadata?.uid !== uid || !isToGrow(claim, volume)) return;
  const size = volume.spec?.capacity?.['storage'] ?? '0';
  const about = { claim, podUid: o.podUid };
  const tell = async (status: object): Promise<void> => {
    if (Object.keys(status).length === 0) return;
    await client.patch(
      claims,
      { namespace, name },
      { type: 'merge', subresource: 'status', body: { metadata: { uid }, status } },
      { signal },
    );
  };
  if (stageOf(claim) === 'NodeResizePending') await tell({ allocatedResourceStatuses: { storage: 'NodeResizeInProgress' } });
  const source = volume.spec?.csi;
  try {
    await service.expand({
      volumeId: data.volumeHandle,
      volumePath: data.targetPath,
      stagingTargetPath: data.stagingPath,
      requiredBytes: Number(quantityValue(size)),
      volumeCapability: await renderCapability(service, {
        accessMode: volume.spec?.accessModes?.[0] ?? 'ReadWriteOnce',
        isBlock: o.isBlock,
        fsType: source?.fsType ?? '',
        mountFlags: volume.spec?.mountOptions ?? [],
        group: undefined,
      }),
      secrets: await readSecret(source?.nodeExpandSecretRef, { what: 'NodeExpandSecretRef', client, signal }),
    });
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    deps.event(about, 'Warning', 'VolumeResizeFailed', `NodeExpandVolume.NodeExpandVolume failed for volume "${data.specVolID}" : ${why}`);
    if (isFinal(error)) {
      // Once the user has asked for something else, the controller has to know that this size never came.
      const isGivenUp = deps.refused.get(data.specVolID) === size && claim.spec?.resources?.requests?.['storage'] !== size;
      deps.refused.set(data.specVolID, size);
      const now = new Date(deps.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
      const given = stageOf(claim) !== undefined && (isInfeasible(error) || isGivenUp);
      await tell(renderNotGrown(claim, why, { isInfeasible: given, now }));
    }
    throw error;
  }
  deps.refused.delete(data.specVolID);
  await tell(renderGrown(claim, size));
  deps.event(about, 'Normal', 'FileSystemResizeSuccessful', `MountVolume.NodeExpandVolume succeeded for volume "${data.specVolID}" `);
}
