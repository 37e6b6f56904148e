import type { ImageVolumeSource } from '@skiff/api';
import type { VolumePlugin } from '../volume-plugin.ts';

/** An image's root filesystem, read-only. */
export const image: VolumePlugin<ImageVolumeSource> = {
  name: 'image',
  refreshes: false,
  setUp: async (source, context) => {
    const reference = source.reference ?? '';
    const mounted = await context.imageVolumes.mount(context.pod, {
      reference,
      policy: source.pullPolicy ?? 'IfNotPresent',
      signal: context.signal,
    });
    return { ...mounted, readOnly: true };
  },
};
