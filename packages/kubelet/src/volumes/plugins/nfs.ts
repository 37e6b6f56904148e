import type { NFSVolumeSource } from '@skiff/api';
import { makeMountPoint } from '../mount-point.ts';
import { mountNfs } from '../nfs-mount.ts';
import type { VolumePlugin } from '../volume-plugin.ts';

/** An export of an NFS server, mounted by the node's own programs. */
export const nfs: VolumePlugin<NFSVolumeSource> = {
  name: 'nfs',
  refreshes: false,
  setUp: async (source, context) => {
    const target = context.paths.volume('nfs', context.name);
    await makeMountPoint(target, context.hostMount);
    const readOnly = source.readOnly === true;
    await mountNfs(source, { target, readOnly, mountOptions: [], hostMount: context.hostMount });
    return { path: target, readOnly };
  },
};
