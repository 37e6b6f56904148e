import { chmod, lstat, mkdir, readdir, rename, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@skiff/component-base';
import type { HostMount } from '../host/host-mount.ts';
import { removeTree } from '../host/safe-tree.ts';

/** The node has no room for a volume of that size. */
export class NoRoom extends Error {}
/** A pod of this node has the volume mounted. */
export class VolumeInUse extends Error {}

/**
 * Directories of this node that the provisioner of local volumes asks for by name. Where they lie is the kubelet's own business: nobody
 * can name a path. How much is written to them is not held back; whether there is room is asked when they are made or grow.
 */
export interface LocalVolumes {
  /** Makes sure that the volume is there and that the node has room for `sizeBytes`. Returns its path. Throws NoRoom. */
  ensure(name: string, sizeBytes: number): Promise<string>;
  /** Removes it with all that is in it; fine when there is none. Throws VolumeInUse. */
  remove(name: string): Promise<void>;
  /** Ends removals that were cut off. */
  sweep(): Promise<void>;
}

const nameForm = /^[a-z0-9][a-z0-9.-]{0,252}$/;
const trashPrefix = '.removed-';

/** `isInUse`: whether a pod of the node has the PersistentVolume of that name mounted. */
export function createLocalVolumes(
  config: { readonly rootDirectory: string },
  deps: { hostMount: HostMount; isInUse: (name: string) => Promise<boolean>; log: Logger },
): LocalVolumes {
  const folder = path.join(config.rootDirectory, 'local-volumes');
  const local = (): string => deps.hostMount.local(folder);
  const check = (name: string): void => {
    if (!nameForm.test(name)) throw new Error(`"${name}" can't be the name of a volume`);
  };
  const isDirectory = async (name: string): Promise<boolean> => {
    const found = await lstat(path.join(local(), name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (found !== undefined && !found.isDirectory()) throw new Error(`${path.join(folder, name)} is not a directory`);
    return found !== undefined;
  };
  const emptyTrash = async (name: string): Promise<void> => {
    await removeTree(local(), name).catch((error: unknown) =>
      deps.log.error({ err: error, name }, 'what was in a removed volume could not be deleted; the next start of the kubelet tries again'),
    );
  };
  return {
    ensure: async (name, sizeBytes) => {
      check(name);
      await mkdir(local(), { recursive: true, mode: 0o700 });
      const { bavail, bsize } = await statfs(local());
      if (sizeBytes > bavail * bsize) throw new NoRoom(`${sizeBytes} bytes were asked for, ${bavail * bsize} bytes are free`);
      if (!(await isDirectory(name))) {
        const target = path.join(local(), name);
        await mkdir(target);
        // Any user of a container may write, as in an emptyDir; on the host the folder around it keeps others out.
        await chmod(target, 0o777);
      }
      return path.join(folder, name);
    },
    remove: async (name) => {
      check(name);
      if (!(await isDirectory(name))) return;
      if (await deps.isInUse(name)) throw new VolumeInUse(`persistentvolume ${name} is still mounted by a pod of this node`);
      const trash = `${trashPrefix}${name}`;
      await removeTree(local(), trash);
      await rename(path.join(local(), name), path.join(local(), trash));
      // From here on it is gone, also for a kubelet that starts now; large ones take their time.
      void emptyTrash(trash);
    },
    sweep: async () => {
      const names = await readdir(local()).catch(() => [] as string[]);
      for (const name of names) if (name.startsWith(trashPrefix)) await emptyTrash(name);
    },
  };
}
