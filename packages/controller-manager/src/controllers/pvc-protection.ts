import { persistentVolumeClaim as claims, pod as pods, type PersistentVolumeClaim, type Pod } from '@skiff/api';
import { hasReason, keyOf, type DeepReadonly } from '@skiff/apimachinery';
import { defineController, mapped, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { isTerminal } from '../pods/pod-state.ts';

const finalizer = 'kubernetes.io/pvc-protection';
const claimIndex = 'persistentVolumeClaim';

/** Names of the claims a pod uses; those of ephemeral volumes are named after it. */
export const claimNames = (pod: DeepReadonly<Pod>): readonly string[] =>
  (pod.spec?.volumes ?? []).flatMap((v) => {
    if (v.persistentVolumeClaim !== undefined) return [v.persistentVolumeClaim.claimName];
    return v.ephemeral === undefined ? [] : [`${pod.metadata?.name ?? ''}-${v.name}`];
  });

/** A pod that was never bound to a node, or that has ended, holds nothing. */
const uses = (pod: DeepReadonly<Pod>, name: string): boolean =>
  Boolean(pod.spec?.nodeName) && !isTerminal(pod) && claimNames(pod).includes(name);

/** Keeps a claim that is being deleted until no pod uses it any more. */
export const pvcProtectionController: ControllerDescriptor = {
  name: 'persistentvolumeclaim-protection-controller',
  define: () =>
    defineController({
      name: 'persistentvolumeclaim-protection-controller',
      concurrency: 1,
      sources: [
        primary(claims),
        mapped(pods, (pod) => claimNames(pod).map((name) => `${pod.metadata?.namespace ?? ''}/${name}`), {
          changed: (a, b) =>
            isTerminal(a) !== isTerminal(b) || a.spec?.nodeName !== b.spec?.nodeName || a.metadata?.uid !== b.metadata?.uid,
        }),
      ],
      create: ({ informers, client: plainClient }) => {
        const claimInformer = informers.informer(claims);
        const podInformer = informers.informer(pods);
        podInformer.addIndex(claimIndex, (pod) => claimNames(pod).map((name) => `${pod.metadata?.namespace ?? ''}/${name}`));
        return async (key, { client, signal }) => {
          const claim = claimInformer.get(key);
          if (claim === undefined) return;
          const finalizers = claim.metadata?.finalizers ?? [];
          const update = async (next: readonly string[]): Promise<void> => {
            const draft = structuredClone(claim) as PersistentVolumeClaim;
            draft.metadata = { ...draft.metadata, finalizers: [...next] };
            try {
              await client.update(claims, draft, { signal });
            } catch (error) {
              if (!hasReason(error, 'NotFound')) throw error;
            }
          };
          if (claim.metadata?.deletionTimestamp === undefined) {
            if (!finalizers.includes(finalizer)) await update([...finalizers, finalizer]);
            return;
          }
          if (!finalizers.includes(finalizer) || podInformer.byIndex(claimIndex, keyOf(claim)).some((pod) => uses(pod, key.name))) return;
          // The cache may not know the newest pod: what is lost now can't be brought back.
          const live = await plainClient.list(pods, key.namespace, { signal });
          if (live.items.some((pod) => uses(pod, key.name))) return;
          await update(finalizers.filter((f) => f !== finalizer));
        };
      },
    }),
};
