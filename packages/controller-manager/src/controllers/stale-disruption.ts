import { pod as pods, type Pod } from '@skiff/api';
import { hasReason, type DeepReadonly } from '@skiff/apimachinery';
import { defineController, primary } from '@skiff/client';
import { formatTime } from '@skiff/component-base';
import type { ControllerDescriptor } from '../descriptor.ts';
import { isTerminal, podCondition } from '../pods/pod-state.ts';

/** A pod that was to be disrupted and still runs after this was not disrupted after all. */
const staleAfterMs = 2 * 60_000;

/** Milliseconds until the pod's DisruptionTarget condition is stale; undefined when it isn't marked. */
function staleInMs(pod: DeepReadonly<Pod>, nowMs: number): number | undefined {
  const condition = podCondition(pod, 'DisruptionTarget');
  if (condition?.status !== 'True' || condition.reason === 'TerminationByKubelet' || !condition.lastTransitionTime) return undefined;
  if (pod.metadata?.deletionTimestamp !== undefined || isTerminal(pod)) return undefined;
  return Math.max(0, Date.parse(condition.lastTransitionTime) + staleAfterMs - nowMs);
}

/** Takes the DisruptionTarget condition back from pods that were not deleted. (Upstream does this in its disruption controller.) */
export const staleDisruptionController: ControllerDescriptor = {
  name: 'stale-disruption-controller',
  define: () =>
    defineController({
      name: 'stale-disruption-controller',
      concurrency: 1,
      sources: [
        primary(pods, { changed: (a, b) => podCondition(a, 'DisruptionTarget')?.status !== podCondition(b, 'DisruptionTarget')?.status }),
      ],
      create: ({ informers, clock }) => {
        const informer = informers.informer(pods);
        return async (key, { client, signal }) => {
          const pod = informer.get(key);
          const leftMs = pod === undefined ? undefined : staleInMs(pod, clock.now());
          if (pod === undefined || leftMs === undefined) return undefined;
          if (leftMs > 0) return { requeueAfterMs: leftMs };
          const condition = { type: 'DisruptionTarget', status: 'False', lastTransitionTime: formatTime(clock.now()) };
          try {
            await client.patch(
              pods,
              key,
              {
                type: 'strategic',
                subresource: 'status',
                body: { metadata: { uid: pod.metadata?.uid }, status: { conditions: [condition] } },
              },
              { signal },
            );
          } catch (error) {
            if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
          }
          return undefined;
        };
      },
    }),
};
