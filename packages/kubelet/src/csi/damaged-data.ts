import path from 'node:path';
import { blockPublish } from './csi-paths.ts';
import type { VolumeData } from './volume-data.ts';

/** Where a pod's volume lies whose folder is `folder`. */
export function publishedPath(folder: string, o: { readonly podUid: string; readonly rootDirectory: string }): string {
  const isBlock = path.basename(path.dirname(path.dirname(folder))) === 'volumeDevices';
  return isBlock ? blockPublish(o.rootDirectory, path.basename(folder), o.podUid) : path.join(folder, 'mount');
}

/**
 * What a pod's damaged `vol_data.json` must have said: the folder has the volume's name, and the node's own record of that volume (written
 * before the pod's) tells driver and handle. undefined: nobody knows; it was an inline volume, or both records are damaged.
 */
export function guessVolumeData(
  folder: string,
  o: { readonly staged: readonly VolumeData[]; readonly podUid: string; readonly rootDirectory: string },
): VolumeData | undefined {
  const known = o.staged.find((d) => d.specVolID === path.basename(folder) && d.volumeLifecycleMode === 'Persistent');
  return known === undefined ? undefined : { ...known, publishBegun: 'true', targetPath: publishedPath(folder, o) };
}
