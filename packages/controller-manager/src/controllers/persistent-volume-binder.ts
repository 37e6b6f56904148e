import { persistentVolume as volumes, persistentVolumeClaim as claims, pod as pods, storageClass as classes, type Pod } from '@skiff/api';
import { keyOf, type DeepReadonly } from '@skiff/apimachinery';
import { defineController, mapped, primary, type ControllerDefinition } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { isTerminal } from '../pods/pod-state.ts';
import { annotations, claimKeyOf, claimRefKey, classNameOf, hasClass, type ClaimView, type VolumeView } from '../volumes/claim-facts.ts';
import { syncClaim } from '../volumes/sync-claim.ts';
import { syncVolume } from '../volumes/sync-volume.ts';
import { claimNames } from './pvc-protection.ts';

const claimIndex = 'persistentVolumeClaim';
const volumeIndex = 'volumeName';
const claimKeysOf = (pod: DeepReadonly<Pod>): readonly string[] =>
  claimNames(pod).map((name) => `${pod.metadata?.namespace ?? ''}/${name}`);
const isFree = (claim: ClaimView): boolean =>
  (claim.spec?.volumeName ?? '') === '' && claim.metadata?.annotations?.[annotations.bindCompleted] === undefined;

/** Claims: sets the other one's queue going as well, where a volume shows that its claim has to be looked at. */
function bindClaims(link: Link): ControllerDefinition {
  return defineController({
    name: 'persistentvolume-binder-controller/claims',
    concurrency: 1,
    sources: [
      primary(claims),
      mapped(volumes, (volume, { informers }) => {
        const key = claimRefKey(volume);
        // A claim that named the volume before it was there, and those that any volume of the class will do for.
        const named = informers.informer(claims).byIndex(volumeIndex, volume.metadata?.name ?? '');
        const free =
          key === undefined && volume.status?.phase === 'Available'
            ? informers
                .informer(claims)
                .list()
                .filter((c) => isFree(c) && classNameOf(c) === classNameOf(volume))
            : [];
        return new Set([...(key === undefined ? [] : [key]), ...named.map(claimKeyOf), ...free.map(claimKeyOf)]);
      }),
      mapped(classes, (storageClass, { informers }) =>
        informers
          .informer(claims)
          .list()
          .filter((c) => isFree(c) && (classNameOf(c) === storageClass.metadata?.name || !hasClass(c)))
          .map(claimKeyOf),
      ),
      mapped(
        pods,
        (pod, { informers }) =>
          claimKeysOf(pod).filter((key) => {
            const [namespace = '', name = ''] = key.split('/');
            const claim = informers.informer(claims).get({ namespace, name });
            return claim !== undefined && isFree(claim);
          }),
        { changed: (a, b) => a.spec?.nodeName !== b.spec?.nodeName || isTerminal(a) !== isTerminal(b) },
      ),
    ],
    create: ({ informers, events, enqueue }) => {
      link.lookAtClaim = enqueue;
      const claimInformer = informers.informer(claims);
      const volumeInformer = informers.informer(volumes);
      const classInformer = informers.informer(classes);
      const podInformer = informers.informer(pods);
      podInformer.addIndex(claimIndex, claimKeysOf);
      claimInformer.addIndex(volumeIndex, (c) => (c.spec?.volumeName === undefined ? [] : [c.spec.volumeName]));
      return async (key, run) => {
        const claim = claimInformer.get(key);
        if (claim === undefined) return;
        await syncClaim(
          claim,
          {
            volume: (name) => volumeInformer.get({ name }),
            volumes: () => volumeInformer.list(),
            storageClass: (name) => (name === '' ? undefined : classInformer.get({ name })),
            classes: () => classInformer.list(),
            waitingPods: (c) =>
              podInformer
                .byIndex(claimIndex, keyOf(c))
                .filter((p) => !isTerminal(p) && !p.spec?.nodeName)
                .map((p) => p.metadata?.name ?? '')
                .sort(),
            events,
          },
          run,
        );
      };
    },
  });
}

function releaseVolumes(link: Link): ControllerDefinition {
  return defineController({
    name: 'persistentvolume-binder-controller/volumes',
    concurrency: 1,
    sources: [
      primary(volumes),
      mapped(claims, (claim, { informers }) => {
        const known = informers.informer(volumes);
        const set: readonly VolumeView[] = known.byIndex(claimIndex, claimKeyOf(claim));
        return new Set([
          ...(claim.spec?.volumeName === undefined ? [] : [claim.spec.volumeName]),
          ...set.map((v) => v.metadata?.name ?? ''),
        ]);
      }),
    ],
    create: ({ informers, events, client }) => {
      const claimInformer = informers.informer(claims);
      const volumeInformer = informers.informer(volumes);
      volumeInformer.addIndex(claimIndex, (v) => {
        const key = claimRefKey(v);
        return key === undefined ? [] : [key];
      });
      return async (key, run) => {
        const volume = volumeInformer.get(key);
        if (volume === undefined) return;
        const world = {
          claim: (namespace: string, name: string) => claimInformer.get({ namespace, name }),
          events,
          live: client,
          lookAtClaim: (claim: string) => link.lookAtClaim(claim),
        };
        await syncVolume(volume, world, run);
      };
    },
  });
}

interface Link {
  lookAtClaim: (key: string) => void;
}

/** Brings claims and volumes together: two loops, one for each side. */
export const persistentVolumeBinder: ControllerDescriptor = {
  name: 'persistentvolume-binder-controller',
  eventComponent: 'persistentvolume-controller',
  define: () => {
    const link: Link = { lookAtClaim: () => undefined };
    return [bindClaims(link), releaseVolumes(link)];
  },
};
