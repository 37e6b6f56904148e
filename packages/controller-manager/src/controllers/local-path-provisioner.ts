import { node as nodes, persistentVolume as volumes, persistentVolumeClaim as claims, storageClass as classes } from '@skiff/api';
import { defineController, mapped, primary, type ControllerContext, type ControllerDefinition } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { annotations, claimKeyOf, classNameOf, type ClaimView } from '../volumes/claim-facts.ts';
import { grow, wantsMore } from '../volumes/local-path/grow.ts';
import { isOurs, localPathProvisioner, nodeOf } from '../volumes/local-path/local-path.ts';
import { createNodeVolumes } from '../volumes/local-path/node-volumes.ts';
import { provision, reclaim, type LocalPathWorld } from '../volumes/local-path/provision.ts';

/** A node that is back is not reached at once, and must not be waited for much longer than it was away. */
const retryMaxMs = 30_000;

const isForUs = (claim: ClaimView): boolean => claim.metadata?.annotations?.[annotations.provisioner] === localPathProvisioner;
const isReady = (o: {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}): boolean => o.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

function worldOf({ informers, events, client }: ControllerContext, signal: AbortSignal): LocalPathWorld {
  return {
    node: (name) => informers.informer(nodes).get({ name }),
    nodes: () => informers.informer(nodes).list(),
    volumes: () => informers.informer(volumes).list(),
    events,
    disks: createNodeVolumes(client, signal),
  };
}

const serveClaims = (): ControllerDefinition =>
  defineController({
    name: 'local-path-provisioner/claims',
    concurrency: 4,
    retryMaxMs,
    sources: [
      primary(claims),
      // Claims that found no node.
      mapped(
        nodes,
        (_, { informers }) =>
          informers
            .informer(claims)
            .list()
            .filter((c) => isForUs(c) && !c.spec?.volumeName)
            .map(claimKeyOf),
        { changed: (a, b) => isReady(a) !== isReady(b) || a.spec?.unschedulable !== b.spec?.unschedulable },
      ),
    ],
    create: (context) => {
      const { informers } = context;
      const claimInformer = informers.informer(claims);
      const volumeInformer = informers.informer(volumes);
      const classInformer = informers.informer(classes);
      informers.informer(nodes);
      return async (key, run) => {
        const claim = claimInformer.get(key);
        if (claim === undefined || claim.metadata?.deletionTimestamp !== undefined) return;
        const world = worldOf(context, run.signal);
        const volumeName = claim.spec?.volumeName ?? '';
        if (volumeName !== '') {
          const volume = volumeInformer.get({ name: volumeName });
          const isBound = claim.status?.phase === 'Bound' && volume?.spec?.claimRef?.uid === claim.metadata?.uid;
          if (volume !== undefined && isBound && isOurs(volume) && wantsMore(claim, volume)) await grow(claim, volume, world, run);
          return;
        }
        if (!isForUs(claim)) return;
        const storageClass = classInformer.get({ name: classNameOf(claim) });
        if (storageClass?.provisioner !== localPathProvisioner) return;
        if (volumeInformer.get({ name: `pvc-${claim.metadata?.uid ?? ''}` }) === undefined)
          await provision(claim, storageClass, world, run);
      };
    },
  });

const serveVolumes = (): ControllerDefinition =>
  defineController({
    name: 'local-path-provisioner/volumes',
    concurrency: 4,
    retryMaxMs,
    sources: [
      primary(volumes),
      mapped(
        nodes,
        (node, { informers }) =>
          informers
            .informer(volumes)
            .list()
            .filter((v) => isOurs(v) && nodeOf(v) === node.metadata?.name)
            .map((v) => v.metadata?.name ?? ''),
        { changed: (a, b) => isReady(a) !== isReady(b) },
      ),
    ],
    create: (context) => {
      const volumeInformer = context.informers.informer(volumes);
      context.informers.informer(nodes);
      return async (key, run) => {
        const volume = volumeInformer.get(key);
        if (volume !== undefined && isOurs(volume)) await reclaim(volume, worldOf(context, run.signal), run);
      };
    },
  });

/** Makes volumes out of directories on the nodes' disks, and removes them. */
export const localPathProvisionerController: ControllerDescriptor = {
  name: 'local-path-provisioner',
  eventComponent: localPathProvisioner,
  define: () => [serveClaims(), serveVolumes()],
};
