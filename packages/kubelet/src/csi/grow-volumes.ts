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
import type { Logger } from '@skiff/component-base';
import type { HostMount } from '../host/host-mount.ts';
import { podsDirectory } from '../volumes/pod-paths.ts';
import { renderCapability } from './volume-capability.ts';
import type { CsiDrivers } from './csi-drivers.ts';
import { readSecret } from './driver-facts.ts';
import { loadVolumeData, type VolumeData } from './volume-data.ts';

export interface GrowVolumesDeps {
  readonly client: Client;
  readonly drivers: CsiDrivers;
  readonly hostMount: HostMount;
  readonly log: Logger;
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

/** Whether the volume is larger than what the claim says it has: then the node's part is still to be done. */
export const isToGrow = (claim: DeepReadonly<PersistentVolumeClaim>, volume: DeepReadonly<PersistentVolume>): boolean =>
  claim.status?.phase === 'Bound' &&
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
    throw error;
  }
  await client.patch(
    claims,
    { namespace, name },
    { type: 'merge', subresource: 'status', body: { metadata: { uid }, status: renderGrown(claim, size) } },
    { signal },
  );
  deps.event(about, 'Normal', 'FileSystemResizeSuccessful', `MountVolume.NodeExpandVolume succeeded for volume "${data.specVolID}" `);
}
