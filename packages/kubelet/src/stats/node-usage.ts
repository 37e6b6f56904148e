import { stat } from 'node:fs/promises';
import type { FilesystemUsage, ImageService } from '@skiff/cri';
import type { Observation, Observations } from '../eviction/thresholds.ts';
import type { Signal } from '../eviction/signals.ts';
import { type MachineUsage, readUsage } from '../node/machine.ts';

export interface NodeUsage {
  readonly machine: MachineUsage;
  /** undefined while the engine doesn't answer. */
  readonly imageFs: FilesystemUsage | undefined;
  /** Images and writable layers have a disk of their own. */
  readonly dedicatedImageFs: boolean;
}

/** A few small files and two calls to the kernel; the engine is asked only for where it keeps its images. */
export async function readNodeUsage(
  o: { readonly rootDirectory: string; readonly local: (path: string) => string },
  images: Pick<ImageService, 'imageFilesystem'>,
): Promise<NodeUsage> {
  const [machine, imageFs] = await Promise.all([readUsage(o.rootDirectory), images.imageFilesystem().catch(() => undefined)]);
  const device = (path: string): Promise<number | undefined> =>
    stat(o.local(path)).then(
      (s) => s.dev,
      () => undefined,
    );
  const [own, its] = await Promise.all([device(o.rootDirectory), imageFs === undefined ? undefined : device(imageFs.mountpoint)]);
  return { machine, imageFs, dedicatedImageFs: own !== undefined && its !== undefined && own !== its };
}

/** The signals of eviction. Pure. */
export function observeSignals({ machine, imageFs }: NodeUsage): Observations {
  const out = new Map<Signal, Observation>([
    ['memory.available', { available: machine.memoryAvailableBytes, capacity: machine.memoryCapacityBytes }],
    ['nodefs.available', { available: machine.diskAvailableBytes, capacity: machine.diskCapacityBytes }],
    ['pid.available', { available: machine.pidsMax - machine.pidsUsed, capacity: machine.pidsMax }],
  ]);
  // Some filesystems (btrfs) make inodes as they need them and say that there are none.
  if (machine.diskInodes > 0) out.set('nodefs.inodesFree', { available: machine.diskInodesFree, capacity: machine.diskInodes });
  if (imageFs === undefined) return out;
  const bytes = { available: imageFs.availableBytes, capacity: imageFs.capacityBytes };
  const inodes = { available: imageFs.inodesFree, capacity: imageFs.inodes };
  // Docker keeps writable layers beside its images.
  out.set('imagefs.available', bytes).set('containerfs.available', bytes);
  if (imageFs.inodes > 0) out.set('imagefs.inodesFree', inodes).set('containerfs.inodesFree', inodes);
  return out;
}
