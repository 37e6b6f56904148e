import type { HorizontalPodAutoscaler, Pod } from '@skiff/api';
import {
  type DeepReadonly,
  type LabelSelector,
  newMilliQuantity,
  parseGroupVersion,
  quantityMilliValue,
  quantityToNumber,
  type ResourceRef,
} from '@skiff/apimachinery';
import type { FindResource } from '../find-resource.ts';
import { type MetricSources, selectorText } from './metric-sources.ts';
import {
  proposeByAverage,
  proposeByShare,
  proposeByTotal,
  proposeByUtilization,
  type PodUsage,
  type ReadinessTiming,
  type Tolerances,
} from './replica-calculator.ts';

type Autoscaler = DeepReadonly<HorizontalPodAutoscaler>;
export type MetricSpec = NonNullable<Autoscaler['spec']['metrics']>[number];
export type MetricStatus = NonNullable<NonNullable<HorizontalPodAutoscaler['status']>['currentMetrics']>[number];
type MetricTarget = NonNullable<MetricSpec['resource']>['target'];

/** What is known of the target when its metrics are looked at. */
export interface ScaledTarget {
  readonly namespace: string;
  /** As the scale subresource has it. */
  readonly selector: string;
  readonly pods: readonly DeepReadonly<Pod>[];
  readonly specReplicas: number;
  readonly statusReplicas: number;
  readonly tolerances: Tolerances;
}

export interface MetricProposal {
  readonly replicas: number;
  /** What events and conditions call the metric. */
  readonly name: string;
  readonly status: MetricStatus;
}

/** A metric that can't be used: `reason` for the condition ScalingActive and the Event. */
export class MetricError extends Error {
  readonly reason: string;
  /** Without what it was that failed, as the condition and the Event say it. */
  readonly detail: string;
  constructor(reason: string, what: string, detail: string) {
    super(`${what}: ${detail}`);
    this.reason = reason;
    this.detail = detail;
  }
}

/** Of the autoscaler's behavior, or the flag's. */
export function tolerancesOf({ spec }: Autoscaler, otherwise: number): Tolerances {
  const of = (rules: { readonly tolerance?: string } | undefined): number =>
    rules?.tolerance === undefined ? otherwise : quantityToNumber(rules.tolerance);
  return { scaleUp: of(spec.behavior?.scaleUp), scaleDown: of(spec.behavior?.scaleDown) };
}

const milli = (value: number): string => newMilliQuantity(Math.trunc(value), 'DecimalSI');
const usageQuantity = (resource: string, value: number): string =>
  newMilliQuantity(Math.trunc(value), resource === 'memory' ? 'BinarySI' : 'DecimalSI');

/** As Go prints a LabelSelector: it is part of what events call a metric. */
function goSelector(selector: DeepReadonly<LabelSelector> | undefined): string {
  if (selector === undefined) return 'nil';
  const labels = Object.entries(selector.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = (selector.matchExpressions ?? []).map(
    (e) => `LabelSelectorRequirement{Key:${e.key},Operator:${e.operator},Values:[${(e.values ?? []).join(' ')}],},`,
  );
  return `&LabelSelector{MatchLabels:map[string]string{${labels.map(([k, v]) => `${k}: ${v},`).join('')}},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`;
}

export interface ProposalDeps {
  readonly sources: MetricSources;
  readonly findResource: FindResource;
  readonly timing: ReadinessTiming;
  readonly nowMs: () => number;
}

type Context = ProposalDeps & { readonly target: ScaledTarget; readonly signal: AbortSignal };

const usageOf = (c: Context, metrics: PodUsage['metrics']): PodUsage => ({
  pods: c.target.pods,
  metrics,
  currentReplicas: c.target.specReplicas,
  tolerances: c.target.tolerances,
  timing: c.timing,
  nowMs: c.nowMs(),
});

const prefixed = async <T>(prefix: string, work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    throw new Error(`${prefix}: ${(error as Error).message}`, { cause: error });
  }
};

type Current = NonNullable<MetricStatus['resource']>['current'];

async function byResource(
  c: Context,
  resource: string,
  container: string,
  target: MetricTarget,
): Promise<{ replicas: number; name: string; current: Current }> {
  const { namespace, selector } = c.target;
  const metrics = () =>
    prefixed(
      `unable to get metrics for resource ${resource}`,
      c.sources.resource({ resource, namespace, selector, container, signal: c.signal }),
    );
  if (target.averageValue !== undefined) {
    const wanted = quantityMilliValue(target.averageValue);
    const { replicas, usage } = await prefixed(
      `failed to get ${resource} usage`,
      metrics().then((m) => proposeByAverage(usageOf(c, m), resource, wanted)),
    );
    return { replicas, name: `${resource} resource`, current: { averageValue: usageQuantity(resource, usage) } };
  }
  const { averageUtilization: targetPercent } = target;
  if (targetPercent === undefined)
    throw new Error('invalid resource metric source: neither an average utilization target nor an average value (usage) target was set');
  const { replicas, usage, utilization } = await prefixed(
    `failed to get ${resource} utilization`,
    metrics().then((m) => proposeByUtilization(usageOf(c, m), resource, { targetPercent, container })),
  );
  return {
    replicas,
    name: `${resource} ${container === '' ? '' : 'container '}resource utilization (percentage of request)`,
    current: { averageUtilization: utilization ?? 0, averageValue: usageQuantity(resource, usage) },
  };
}

async function byObject(c: Context, source: NonNullable<MetricSpec['object']>): Promise<MetricProposal> {
  const { metric, describedObject, target } = source;
  const { namespace } = c.target;
  const read = async (): Promise<number> => {
    const group = parseGroupVersion(describedObject.apiVersion ?? 'v1').group;
    const on = `unable to get metric ${metric.name}`;
    try {
      const resource: ResourceRef | undefined = await c.findResource(group, describedObject.kind, c.signal);
      if (resource === undefined)
        throw new Error(
          `unable to fetch metrics from custom metrics API: no matches for kind "${describedObject.kind}" in group "${group}"`,
        );
      const metricSelector = selectorText(metric.selector as LabelSelector | undefined);
      return await c.sources.object({
        metric: metric.name,
        namespace,
        resource,
        name: describedObject.name,
        metricSelector,
        signal: c.signal,
      });
    } catch (error) {
      throw new Error(`${on}: ${(error as Error).message} on ${describedObject.kind} ${namespace}/${describedObject.name}`, {
        cause: error,
      });
    }
  };
  const status = (current: Current): MetricStatus =>
    structuredClone({ type: 'Object', object: { metric, describedObject, current } }) as MetricStatus;
  if (target.type === 'Value' && target.value !== undefined) {
    const { specReplicas: currentReplicas, ...rest } = c.target;
    const { replicas, usage } = proposeByTotal({ ...rest, currentReplicas }, await read(), quantityMilliValue(target.value));
    return { replicas, name: `${describedObject.kind} metric ${metric.name}`, status: status({ value: milli(usage) }) };
  }
  if (target.type === 'AverageValue' && target.averageValue !== undefined) {
    const used = await prefixed(`failed to get ${metric.name} object metric`, read());
    const { statusReplicas, tolerances } = c.target;
    const { replicas, usage } = proposeByShare(statusReplicas, tolerances, used, quantityMilliValue(target.averageValue));
    const name = `external metric ${metric.name}(${goSelector(metric.selector)})`;
    return { replicas, name, status: status({ averageValue: milli(usage) }) };
  }
  throw new Error('invalid object metric source: neither a value target nor an average value target was set');
}

async function byPods(c: Context, { metric, target }: NonNullable<MetricSpec['pods']>): Promise<MetricProposal> {
  const { namespace, selector } = c.target;
  const metricSelector = selectorText(metric.selector as LabelSelector | undefined);
  const metrics = await prefixed(
    `unable to get metric ${metric.name}`,
    c.sources.pods({ metric: metric.name, namespace, selector, metricSelector, signal: c.signal }),
  );
  const { replicas, usage } = proposeByAverage(usageOf(c, metrics), '', quantityMilliValue(target.averageValue ?? '0'));
  const status = structuredClone({ type: 'Pods', pods: { metric, current: { averageValue: milli(usage) } } }) as MetricStatus;
  return { replicas, name: `pods metric ${metric.name}`, status };
}

async function byExternal(c: Context, { metric, target }: NonNullable<MetricSpec['external']>): Promise<MetricProposal> {
  const { namespace, specReplicas: currentReplicas, ...rest } = c.target;
  const name = `external metric ${metric.name}(${goSelector(metric.selector)})`;
  const read = async (): Promise<number> => {
    const metricSelector = selectorText(metric.selector as LabelSelector | undefined);
    const values = await prefixed(
      `unable to get external metric ${namespace}/${metric.name}/${goSelector(metric.selector)}`,
      c.sources.external({ metric: metric.name, namespace, metricSelector, signal: c.signal }),
    );
    return values.reduce((a, b) => a + b, 0);
  };
  const status = (current: Current): MetricStatus => structuredClone({ type: 'External', external: { metric, current } }) as MetricStatus;
  if (target.averageValue !== undefined) {
    const used = await prefixed(`failed to get ${metric.name} external metric`, read());
    const { replicas, usage } = proposeByShare(rest.statusReplicas, rest.tolerances, used, quantityMilliValue(target.averageValue));
    return { replicas, name, status: status({ averageValue: milli(usage) }) };
  }
  if (target.value !== undefined) {
    const wanted = quantityMilliValue(target.value);
    const { replicas, usage } = await prefixed(
      `failed to get external metric ${metric.name}`,
      read().then((used) => proposeByTotal({ ...rest, currentReplicas }, used, wanted)),
    );
    return { replicas, name, status: status({ value: milli(usage) }) };
  }
  throw new Error('invalid external metric source: neither a value target nor an average value target was set');
}

/** How many pods one metric asks for. Throws MetricError. */
export async function proposeForMetric(c: Context, spec: MetricSpec): Promise<MetricProposal> {
  const attempt = async (reason: string, what: string, work: Promise<MetricProposal>): Promise<MetricProposal> => {
    try {
      return await work;
    } catch (error) {
      throw new MetricError(reason, what, (error as Error).message);
    }
  };
  const { resource, containerResource, object, pods, external } = spec;
  if (spec.type === 'Resource' && resource !== undefined) {
    const found = byResource(c, resource.name, '', resource.target).then(({ replicas, name, current }) => ({
      replicas,
      name,
      status: { type: 'Resource', resource: { name: resource.name, current } },
    }));
    return await attempt('FailedGetResourceMetric', `failed to get ${resource.name} resource metric value`, found);
  }
  if (spec.type === 'ContainerResource' && containerResource !== undefined) {
    const { name: of, container, target } = containerResource;
    const found = byResource(c, of, container, target).then(({ replicas, name, current }) => ({
      replicas,
      name,
      status: { type: 'ContainerResource', containerResource: { name: of, container, current } },
    }));
    return await attempt('FailedGetContainerResourceMetric', `failed to get ${container} container metric value`, found);
  }
  if (spec.type === 'Object' && object !== undefined)
    return await attempt('FailedGetObjectMetric', 'failed to get object metric value', byObject(c, object));
  if (spec.type === 'Pods' && pods !== undefined)
    return await attempt('FailedGetPodsMetric', 'failed to get pods metric value', byPods(c, pods));
  if (spec.type === 'External' && external !== undefined)
    return await attempt('FailedGetExternalMetric', `failed to get ${external.metric.name} external metric value`, byExternal(c, external));
  throw new MetricError('InvalidMetricSourceType', 'unknown metric source', `unknown metric source type "${spec.type}"`);
}
