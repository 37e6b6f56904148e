import { persistentVolume as volumes, persistentVolumeClaim as claims } from '@skiff/api';
import { defineController, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { wantsMore } from '../volumes/local-path/grow.ts';
import { isOurs } from '../volumes/local-path/local-path.ts';

const sizes = (claim: { readonly spec?: { readonly resources?: object }; readonly status?: { readonly phase?: string } }): string =>
  JSON.stringify([claim.spec?.resources, claim.status?.phase]);

/** Tells of claims whose growth is up to their driver's own controller (external-resizer); growing local-path volumes is their provisioner's. */
export const volumeExpandController: ControllerDescriptor = {
  name: 'persistentvolume-expander-controller',
  eventComponent: 'volume_expand',
  define: () =>
    defineController({
      name: 'persistentvolume-expander-controller',
      concurrency: 1,
      sources: [primary(claims, { changed: (a, b) => sizes(a) !== sizes(b) })],
      create: ({ informers, events }) => {
        const claimInformer = informers.informer(claims);
        const volumeInformer = informers.informer(volumes);
        return async (key) => {
          const claim = claimInformer.get(key);
          const volume = volumeInformer.get({ name: claim?.spec?.volumeName ?? '' });
          if (claim?.status?.phase !== 'Bound' || volume === undefined || volume.spec?.claimRef?.uid !== claim.metadata?.uid) return;
          if (isOurs(volume) || !wantsMore(claim, volume)) return;
          events.event(claim, 'Normal', 'ExternalExpanding', 'waiting for an external controller to expand this PVC');
        };
      },
    }),
};
