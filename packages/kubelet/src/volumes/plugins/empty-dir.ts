import { chmod, chown, mkdir } from 'node:fs/promises';
import { quantityValue } from '@skiff/apimachinery';
import { initContainersOf, type PodSnapshot } from '../../pod/pod-snapshot.ts';
import type { VolumePlugin } from '../volume-plugin.ts';
import type { EmptyDirVolumeSource } from '@skiff/api';

/** The one size of pages that containers of the pod ask for, or that the medium names (KEP-1539), as mount(8) takes it. */
export function pageSizeOf(medium: string, pod: PodSnapshot): string {
  const sizes = new Set(
    [...pod.spec.containers, ...initContainersOf(pod)].flatMap((c) =>
      Object.keys(c.resources?.requests ?? {}).flatMap((name) => (name.startsWith('hugepages-') ? [name.slice('hugepages-'.length)] : [])),
    ),
  );
  const named = medium === 'HugePages' ? undefined : medium.slice('HugePages-'.length);
  const [only] = sizes;
  if (named === undefined && sizes.size > 1)
    throw new Error(`medium "${medium}" can't be used if container requests multiple huge page sizes`);
  const wanted = named ?? only;
  if (wanted === undefined || ![...sizes].some((size) => quantityValue(size) === quantityValue(wanted)))
    throw new Error(`medium "${medium}" can't be used if container does not request these huge pages`);
  return wanted.replace(/i$/, '');
}

/** A directory of the pod's own; with medium Memory a tmpfs of its own, which a size limit bounds. */
export const emptyDir: VolumePlugin<EmptyDirVolumeSource> = {
  name: 'empty-dir',
  refreshes: false,
  setUp: async (source, context) => {
    const target = context.paths.volume('empty-dir', context.name);
    const medium = source.medium ?? '';
    const huge = medium === 'HugePages' || medium.startsWith('HugePages-');
    if (medium !== '' && medium !== 'Memory' && !huge) throw new Error(`unknown storage medium "${medium}"`);
    const local = context.hostMount.local(target);
    await mkdir(local, { recursive: true });
    if (medium === 'Memory' && !(await context.hostMount.mountsBelow(target)).includes(target)) {
      const limit = source.sizeLimit === undefined ? undefined : quantityValue(source.sizeLimit);
      await context.hostMount.tmpfs(target, { mode: '1777', ...(limit === undefined || limit === 0 ? {} : { sizeBytes: limit }) });
    }
    if (huge && !(await context.hostMount.mountsBelow(target)).includes(target)) {
      const options = [`pagesize=${pageSizeOf(medium, context.pod)}`];
      await context.hostMount.mount({ type: 'hugetlbfs', source: 'nodev', target, options });
    }
    const fsGroup = context.pod.spec.securityContext?.fsGroup;
    if (fsGroup !== undefined) await chown(local, 0, fsGroup);
    // A tmpfs is like /tmp: what is in it is removed by its owner only.
    await chmod(local, (medium === 'Memory' ? 0o1777 : 0o777) | (fsGroup === undefined ? 0 : 0o2000));
    return { path: target, readOnly: false };
  },
};
