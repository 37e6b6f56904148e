import { node as nodes, pod as pods, type Pod } from '@skiff/api';
import { hasReason, keyOf, type DeepReadonly } from '@skiff/apimachinery';
import { defineController, mapped, type ReconcileContext, type Source } from '@skiff/client';
import { formatTime } from '@skiff/component-base';
import type { ControllerDescriptor } from '../descriptor.ts';
import { isNodeReady } from '../node-lifecycle/node-health.ts';
import { podNodeIndex } from '../node-lifecycle/node-monitor.ts';
import { outOfServiceTaint } from '../node-lifecycle/taints.ts';
import { isTerminal } from '../pods/pod-state.ts';

/** A node may be gone from the cache only, or be about to come back. */
const quarantineMs = 40_000;
/** The key of all ended pods together. */
const terminatedKey = '/terminated';

type PodView = DeepReadonly<Pod>;
const isEvicted = (pod: PodView): boolean => pod.status?.phase === 'Failed' && pod.status.reason === 'Evicted';

/** Evicted ones first, then the oldest. */
export const byEvictionAndAge = (a: PodView, b: PodView): number => {
  const evicted = Number(isEvicted(b)) - Number(isEvicted(a));
  if (evicted !== 0) return evicted;
  const order = (p: PodView): string => `${p.metadata?.creationTimestamp ?? ''} ${p.metadata?.name ?? ''}`;
  return order(a) < order(b) ? -1 : 1;
};

const podSource: Source = mapped(pods, (pod) => (isTerminal(pod) ? [keyOf(pod), terminatedKey] : [keyOf(pod)]), {
  changed: (a, b) =>
    a.spec?.nodeName !== b.spec?.nodeName ||
    a.metadata?.deletionTimestamp !== b.metadata?.deletionTimestamp ||
    isTerminal(a) !== isTerminal(b),
});
const nodeSource: Source = mapped(
  nodes,
  (node, { informers }) =>
    informers
      .informer(pods)
      .byIndex(podNodeIndex, node.metadata?.name ?? '')
      .map((pod) => keyOf(pod)),
  {
    changed: (a, b) => JSON.stringify(a.spec?.taints) !== JSON.stringify(b.spec?.taints) || isNodeReady(a) !== isNodeReady(b),
  },
);

/** Force-deletes pods that no kubelet will ever finish, and ended pods beyond the threshold. */
export const podGarbageCollector: ControllerDescriptor = {
  name: 'pod-garbage-collector-controller',
  define: ({ terminatedPodGcThreshold: threshold }) =>
    defineController({
      name: 'pod-garbage-collector-controller',
      concurrency: 5,
      sources: [podSource, nodeSource],
      create: ({ informers, clock }) => {
        const podInformer = informers.informer(pods);
        podInformer.addIndex(podNodeIndex, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
        const nodeInformer = informers.informer(nodes);
        const missingSinceMs = new Map<string, number>();

        const forceDelete = async (
          pod: PodView,
          run: ReconcileContext,
          condition?: { readonly reason: string; readonly message: string },
        ): Promise<void> => {
          const key = { namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '' };
          const uid = pod.metadata?.uid ?? '';
          const conditions =
            condition === undefined
              ? []
              : [
                  {
                    type: 'DisruptionTarget',
                    status: 'True',
                    ...condition,
                    lastTransitionTime: formatTime(clock.now()),
                    ...(pod.metadata?.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
                  },
                ];
          run.log.info({ pod: keyOf(pod), ...condition }, 'force-deleting a pod');
          try {
            if (!isTerminal(pod)) {
              const status = { phase: 'Failed', ...(conditions.length === 0 ? {} : { conditions }) };
              await run.client.patch(
                pods,
                key,
                { type: 'strategic', subresource: 'status', body: { metadata: { uid }, status } },
                { signal: run.signal },
              );
            }
            await run.client.delete(pods, key, { gracePeriodSeconds: 0, preconditions: { uid }, signal: run.signal });
          } catch (error) {
            if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
          }
        };

        const collectTerminated = async (run: ReconcileContext): Promise<void> => {
          if (threshold <= 0) return;
          const ended = podInformer.list().filter(isTerminal);
          for (const pod of ended.sort(byEvictionAndAge).slice(0, Math.max(0, ended.length - threshold))) await forceDelete(pod, run);
        };

        const collectOrphan = async (
          pod: PodView,
          nodeName: string,
          run: ReconcileContext,
        ): Promise<{ requeueAfterMs: number } | undefined> => {
          const nowMs = clock.monotonicMs();
          const since = missingSinceMs.get(nodeName) ?? nowMs;
          missingSinceMs.set(nodeName, since);
          if (nowMs - since < quarantineMs) return { requeueAfterMs: since + quarantineMs - nowMs };
          try {
            await run.client.get(nodes, { name: nodeName }, { signal: run.signal });
            return { requeueAfterMs: quarantineMs };
          } catch (error) {
            if (!hasReason(error, 'NotFound')) throw error;
          }
          await forceDelete(pod, run, { reason: 'DeletionByPodGC', message: 'PodGC: node no longer exists' });
          return undefined;
        };

        return async (key, run) => {
          if (key.namespace === '' && key.name === 'terminated') {
            await collectTerminated(run);
            return undefined;
          }
          const pod = podInformer.get(key);
          if (pod === undefined) return undefined;
          const terminating = pod.metadata?.deletionTimestamp !== undefined;
          const nodeName = pod.spec?.nodeName;
          if (!nodeName) {
            if (terminating) await forceDelete(pod, run);
            return undefined;
          }
          const node = nodeInformer.get({ name: nodeName });
          if (node === undefined) return await collectOrphan(pod, nodeName, run);
          missingSinceMs.delete(nodeName);
          const outOfService = !isNodeReady(node) && (node.spec?.taints ?? []).some((t) => t.key === outOfServiceTaint);
          if (terminating && outOfService) await forceDelete(pod, run);
          return undefined;
        };
      },
    }),
};
