import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** What is written beside each volume before its driver is called, so that whoever comes later can undo it. Upstream's file and keys. */
export interface VolumeData {
  readonly specVolID: string;
  readonly volumeHandle: string;
  readonly driverName: string;
  readonly volumeLifecycleMode: 'Persistent' | 'Ephemeral';
  /** Where the driver has put it. */
  readonly targetPath: string;
  /** Where it is staged for all pods of the node; '' when the driver has no such step. */
  readonly stagingPath: string;
  /** 'true' when it has to be attached to the node. */
  readonly attachable: string;
  /** Beside a pod's volume: 'false' while its driver was not asked to publish it. */
  readonly publishBegun?: string;
  /** Beside the staged volume: the boot in which the driver has staged it, and whether that made a mount. */
  readonly stagedInBoot?: string;
  readonly stagedMount?: string;
}

const fileName = 'vol_data.json';

export async function saveVolumeData(folder: string, data: VolumeData): Promise<void> {
  const half = path.join(folder, `.${fileName}.${process.pid}`);
  await writeFile(half, JSON.stringify(data), { mode: 0o600, flush: true });
  await rename(half, path.join(folder, fileName));
}

/** undefined: nothing was ever begun there. Throws when it is damaged: what has to be undone there is not known then. */
export async function loadVolumeData(folder: string): Promise<VolumeData | undefined> {
  const text = await readFile(path.join(folder, fileName), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as VolumeData;
  } catch (error) {
    throw new Error(`${path.join(folder, fileName)} is damaged`, { cause: error });
  }
}
