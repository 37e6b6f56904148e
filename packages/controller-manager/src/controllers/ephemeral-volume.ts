import { persistentVolumeClaim as claims, pod as pods, type PersistentVolumeClaim, type Pod } from '@skiff/api';
import { hasReason, keyOf, type DeepReadonly } from '@skiff/apimachinery';
import { controllerOf, defineController, mapped, ownedBy } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { controllerReference } from '../owner-references.ts';

type PodVolume = NonNullable<NonNullable<DeepReadonly<Pod>['spec']>['volumes']>[number];

/** The claim of a pod's ephemeral volume: named after both, owned by the pod, and gone with it. */
function renderClaim(pod: DeepReadonly<Pod>, volume: PodVolume): PersistentVolumeClaim {
  const template = volume.ephemeral?.volumeClaimTemplate;
  const { labels, annotations } = template?.metadata ?? {};
  return {
    metadata: {
      namespace: pod.metadata?.namespace ?? '',
      name: `${pod.metadata?.name ?? ''}-${volume.name}`,
      ownerReferences: [controllerReference(pod, pods)],
      ...(labels === undefined ? {} : { labels: { ...labels } }),
      ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
    },
    spec: structuredClone(template?.spec ?? {}) as NonNullable<PersistentVolumeClaim['spec']>,
  };
}

/** Makes the claims of generic ephemeral volumes (KEP-1698). */
export const ephemeralVolumeController: ControllerDescriptor = {
  name: 'ephemeral-volume-controller',
  eventComponent: 'ephemeral_volume',
  define: () =>
    defineController({
      name: 'ephemeral-volume-controller',
      concurrency: 2,
      sources: [
        mapped(pods, (pod) => ((pod.spec?.volumes ?? []).some((v) => v.ephemeral !== undefined) ? [keyOf(pod)] : []), {
          changed: () => false,
        }),
        ownedBy(pods, claims),
      ],
      create: ({ informers, events }) => {
        const podInformer = informers.informer(pods);
        const claimInformer = informers.informer(claims);
        return async (key, { client, signal }) => {
          const pod = podInformer.get(key);
          if (pod === undefined || pod.metadata?.deletionTimestamp !== undefined) return;
          for (const volume of pod.spec?.volumes ?? []) {
            if (volume.ephemeral === undefined) continue;
            const claim = renderClaim(pod, volume);
            const { namespace = '', name = '' } = claim.metadata ?? {};
            const present = claimInformer.get({ namespace, name });
            if (present === undefined) {
              await client.create(claims, claim, { signal }).catch((error: unknown) => {
                if (!hasReason(error, 'AlreadyExists')) throw error;
              });
            } else if (controllerOf(present)?.uid !== pod.metadata?.uid) {
              const why = `PVC ${namespace}/${name} was not created for pod ${namespace}/${pod.metadata?.name ?? ''} (pod is not owner)`;
              events.event(pod, 'Warning', 'FailedBinding', `ephemeral volume ${volume.name}: ${why}`);
              throw new Error(why);
            }
          }
        };
      },
    }),
};
