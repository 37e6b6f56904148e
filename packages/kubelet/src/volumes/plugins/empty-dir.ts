import { chmod, chown, mkdir } from 'node:fs/promises';
import { quantityValue } from '@skiff/apimachinery';
import type { VolumePlugin } from '../volume-plugin.ts';
import type { EmptyDirVolumeSource } from '@skiff/api';

/** A directory of the pod's own; with medium Memory a tmpfs of its own, which a size limit bounds. */
export const emptyDir: VolumePlugin<EmptyDirVolumeSource> = {
  name: 'empty-dir',
  refreshes: false,
  setUp: async (source, context) => {
    const target = context.paths.volume('empty-dir', context.name);
    const medium = source.medium ?? '';
    if (medium !== '' && medium !== 'Memory') throw new Error(`unsupported emptyDir medium "${medium}"`);
    const local = context.hostMount.local(target);
    await mkdir(local, { recursive: true });
    if (medium === 'Memory' && !(await context.hostMount.mountsBelow(target)).includes(target)) {
      const limit = source.sizeLimit === undefined ? undefined : quantityValue(source.sizeLimit);
      await context.hostMount.tmpfs(target, { mode: '1777', ...(limit === undefined || limit === 0 ? {} : { sizeBytes: limit }) });
    }
    const fsGroup = context.pod.spec.securityContext?.fsGroup;
    if (fsGroup !== undefined) await chown(local, 0, fsGroup);
    // A tmpfs is like /tmp: what is in it is removed by its owner only.
    await chmod(local, (medium === 'Memory' ? 0o1777 : 0o777) | (fsGroup === undefined ? 0 : 0o2000));
    return { path: target, readOnly: false };
  },
};
