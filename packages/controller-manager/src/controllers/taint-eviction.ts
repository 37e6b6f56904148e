import { node as nodes, pod as pods } from '@skiff/api';
import { formatKey, hasReason, keyOf } from '@skiff/apimachinery';
import { defineController, mapped, primary } from '@skiff/client';
import { formatTime } from '@skiff/component-base';
import type { ControllerDescriptor } from '../descriptor.ts';
import { podNodeIndex } from '../node-lifecycle/node-monitor.ts';
import { StayClock } from '../node-lifecycle/stay-clock.ts';
import { stayAllowances } from '../node-lifecycle/taints.ts';

/** Deletes pods from nodes with NoExecute taints that they don't tolerate, or not for so long. */
export const taintEvictionController: ControllerDescriptor = {
  name: 'taint-eviction-controller',
  define: () =>
    defineController({
      name: 'taint-eviction-controller',
      concurrency: 5,
      sources: [
        primary(pods, {
          changed: (a, b) =>
            a.spec?.nodeName !== b.spec?.nodeName || JSON.stringify(a.spec?.tolerations) !== JSON.stringify(b.spec?.tolerations),
        }),
        mapped(
          nodes,
          (node, { informers }) =>
            informers
              .informer(pods)
              .byIndex(podNodeIndex, node.metadata?.name ?? '')
              .map((pod) => keyOf(pod)),
          {
            changed: (a, b) => JSON.stringify(a.spec?.taints) !== JSON.stringify(b.spec?.taints),
          },
        ),
      ],
      create: ({ informers, clock, events }) => {
        const podInformer = informers.informer(pods);
        podInformer.addIndex(podNodeIndex, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
        const nodeInformer = informers.informer(nodes);
        const stays = new StayClock();
        return async (key, { client, signal }) => {
          const pod = podInformer.get(key);
          const node = pod?.spec?.nodeName ? nodeInformer.get({ name: pod.spec.nodeName }) : undefined;
          const id = formatKey(key);
          if (pod === undefined || node === undefined || pod.metadata?.deletionTimestamp !== undefined) {
            stays.forget(id);
            return undefined;
          }
          const uid = pod.metadata?.uid ?? '';
          const nowMs = clock.monotonicMs();
          const name = `${key.namespace ?? ''}/${key.name}`;
          const { leaveAtMs, reprieved } = stays.update(id, {
            uid,
            allowances: stayAllowances(pod.spec?.tolerations ?? [], node.spec?.taints ?? []),
            nowMs,
          });
          if (reprieved) events.event(pod, 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${name}`);
          if (leaveAtMs === undefined) return undefined;
          if (leaveAtMs > nowMs) return { requeueAfterMs: leaveAtMs - nowMs };
          events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${name}`);
          const condition = {
            type: 'DisruptionTarget',
            status: 'True',
            reason: 'DeletionByTaintManager',
            message: 'Taint manager: deleting due to NoExecute taint',
            lastTransitionTime: formatTime(clock.now()),
            ...(pod.metadata?.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
          };
          try {
            await client.patch(
              pods,
              key,
              { type: 'strategic', subresource: 'status', body: { metadata: { uid }, status: { conditions: [condition] } } },
              { signal },
            );
            await client.delete(pods, key, { preconditions: { uid }, signal });
          } catch (error) {
            if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
          }
          stays.forget(id);
          return undefined;
        };
      },
    }),
};
