import { horizontalPodAutoscaler as autoscalers, pod as pods } from '@skiff/api';
import { keyOf, type LabelMatcher } from '@skiff/apimachinery';
import { defineController, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { createFindResource } from '../find-resource.ts';
import { createMetricSources } from '../horizontal-pod-autoscaler/metric-sources.ts';
import { type AutoscalerDeps, AutoscalerRound } from '../horizontal-pod-autoscaler/reconcile-autoscaler.ts';
import type { ScalingHistory } from '../horizontal-pod-autoscaler/scaling-rules.ts';

/** Makes targets larger and smaller by what their pods use, looking at each autoscaler every few seconds. */
export const horizontalPodAutoscalerController: ControllerDescriptor = {
  name: 'horizontal-pod-autoscaler-controller',
  eventComponent: 'horizontal-pod-autoscaler',
  define: ({ horizontalPodAutoscaler: config }) =>
    defineController({
      name: 'horizontal-pod-autoscaler-controller',
      concurrency: 5,
      sources: [primary(autoscalers, { changed: (a, b) => a.metadata?.generation !== b.metadata?.generation })],
      create: ({ informers, client, clock, events }) => {
        const informer = informers.informer(autoscalers);
        const podInformer = informers.informer(pods);
        const selectors = new Map<string, LabelMatcher>();
        const histories = new Map<string, ScalingHistory>();
        const deps: AutoscalerDeps = {
          events,
          selectors,
          histories,
          sources: createMetricSources({ client, nowMs: clock.now }),
          findResource: createFindResource({ client, clock }),
          listPods: (namespace) => podInformer.list(namespace),
          nowMs: clock.now,
        };
        return async (key, context) => {
          const autoscaler = informer.get(key);
          if (autoscaler === undefined) {
            const gone = `${key.namespace ?? ''}/${key.name}`;
            selectors.delete(gone);
            histories.delete(gone);
            return undefined;
          }
          try {
            await new AutoscalerRound(autoscaler, config, deps, context).run();
          } catch (error) {
            if (context.signal.aborted) throw error;
            // The next look is soon enough: this one may have rescaled already.
            context.log.warn({ err: error, autoscaler: keyOf(autoscaler) }, 'looking at an autoscaler failed');
          }
          return { requeueAfterMs: config.syncPeriodMs };
        };
      },
    }),
};
