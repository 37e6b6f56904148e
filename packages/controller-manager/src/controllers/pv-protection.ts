import { persistentVolume as volumes, type PersistentVolume } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { defineController, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';

const finalizer = 'kubernetes.io/pv-protection';

/** Keeps a volume that is being deleted as long as it is bound to a claim. */
export const pvProtectionController: ControllerDescriptor = {
  name: 'persistentvolume-protection-controller',
  define: () =>
    defineController({
      name: 'persistentvolume-protection-controller',
      concurrency: 1,
      sources: [primary(volumes)],
      create: ({ informers }) => {
        const informer = informers.informer(volumes);
        return async (key, { client, signal }) => {
          const volume = informer.get(key);
          if (volume === undefined) return;
          const finalizers = volume.metadata?.finalizers ?? [];
          const ends = volume.metadata?.deletionTimestamp !== undefined;
          const has = finalizers.includes(finalizer);
          if (ends ? !has || volume.status?.phase === 'Bound' : has) return;
          const draft = structuredClone(volume) as PersistentVolume;
          draft.metadata = { ...draft.metadata, finalizers: ends ? finalizers.filter((f) => f !== finalizer) : [...finalizers, finalizer] };
          try {
            await client.update(volumes, draft, { signal });
          } catch (error) {
            if (!hasReason(error, 'NotFound')) throw error;
          }
        };
      },
    }),
};
