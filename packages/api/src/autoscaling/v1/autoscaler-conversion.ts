import type { DeepReadonly, JsonObject } from '@skiff/apimachinery';
import type { AutoscalingV1HorizontalPodAutoscaler } from '../../generated/types/autoscaling-v1.ts';
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from '../../generated/types/autoscaling-v2.ts';
import { goValue } from '../../go-value.ts';
import { defaultAutoscaler } from '../v2/autoscaler-defaults.ts';
import { dropRoundTripAnnotations, roundTrip } from '../v2/round-trip-annotations.ts';
import { metricSpecFromV1, metricStatusFromV1, metricToV1 } from './metric-conversion.ts';

export const defaultUtilization = 80;

type V1 = DeepReadonly<AutoscalingV1HorizontalPodAutoscaler>;
type V2 = DeepReadonly<HorizontalPodAutoscaler>;
type Part = Record<string, unknown>;

/** The JSON list or object in an annotation; undefined when there is none that can be read. */
function annotated<T>(autoscaler: V1, key: string): T | undefined {
  const text = autoscaler.metadata?.annotations?.[key];
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

const cpuMetric = (averageUtilization: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

const isCPUUtilization = (m: DeepReadonly<MetricSpec>): boolean =>
  m.type === 'Resource' && m.resource?.name === 'cpu' && m.resource.target.averageUtilization !== undefined;

/** Keys as v2 has them: the annotation holds Go's names of the fields. */
function withLowerKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withLowerKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, v]) => v !== null);
  return Object.fromEntries(entries.map(([key, v]) => [key.charAt(0).toLowerCase() + key.slice(1), withLowerKeys(v)]));
}

export function metricsOf(autoscaler: V1): MetricSpec[] {
  const others = (annotated<Part[]>(autoscaler, roundTrip.metrics) ?? []).map(metricSpecFromV1);
  const utilization = autoscaler.spec?.targetCPUUtilizationPercentage;
  const metrics = utilization === undefined ? others : [...others, cpuMetric(utilization)];
  return metrics.length === 0 ? [cpuMetric(defaultUtilization)] : metrics;
}

function statusToV2(autoscaler: V1): Part | undefined {
  const { status } = autoscaler;
  if (status === undefined) return undefined;
  const { currentCPUUtilizationPercentage: averageUtilization, ...rest } = status;
  const cpu: MetricStatus[] =
    averageUtilization === undefined ? [] : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization } } }];
  const currentMetrics = annotated<Part[]>(autoscaler, roundTrip.currentMetrics)?.map(metricStatusFromV1) ?? cpu;
  const conditions = annotated<Part[]>(autoscaler, roundTrip.conditions);
  return {
    ...rest,
    ...(currentMetrics.length > 0 ? { currentMetrics } : {}),
    ...(conditions === undefined ? {} : { conditions }),
  };
}

/** What v1 has no fields for comes from annotations. */
export function autoscalerToV2(autoscaler: V1): HorizontalPodAutoscaler {
  const { scaleTargetRef, minReplicas, maxReplicas } = autoscaler.spec ?? { scaleTargetRef: { kind: '', name: '' }, maxReplicas: 0 };
  const behavior = withLowerKeys(annotated(autoscaler, roundTrip.behavior)) as object | undefined;
  const status = statusToV2(autoscaler);
  const converted = {
    ...autoscaler,
    apiVersion: 'autoscaling/v2',
    metadata: dropRoundTripAnnotations(autoscaler.metadata),
    spec: {
      scaleTargetRef,
      ...(minReplicas === undefined ? {} : { minReplicas }),
      maxReplicas,
      metrics: metricsOf(autoscaler),
      ...(behavior && Object.keys(behavior).length > 0 ? { behavior } : {}),
    },
    ...(status === undefined ? {} : { status }),
  } as HorizontalPodAutoscaler;
  defaultAutoscaler(converted);
  return converted;
}

export function autoscalerFromV2(autoscaler: V2): AutoscalingV1HorizontalPodAutoscaler {
  const { spec, status } = autoscaler;
  const metrics = spec?.metrics ?? [];
  const target = metrics.find(isCPUUtilization)?.resource?.target.averageUtilization;
  const { currentMetrics: current, conditions = [], ...counts } = status ?? { desiredReplicas: 0 };
  const currentMetrics = current ?? [];
  const cpu = currentMetrics.filter((m) => m.type === 'Resource' && m.resource?.name === 'cpu').at(-1)?.resource?.current;
  const others = metrics.filter((m) => !isCPUUtilization(m)).map((m) => metricToV1(m as MetricSpec));
  const annotations: Record<string, string> = {
    ...(others.length > 0 ? { [roundTrip.metrics]: JSON.stringify(others) } : {}),
    ...(currentMetrics.length > 0
      ? { [roundTrip.currentMetrics]: JSON.stringify(currentMetrics.map((m) => metricToV1(m as MetricStatus))) }
      : {}),
    ...(spec?.behavior
      ? { [roundTrip.behavior]: JSON.stringify(goValue('io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior', spec.behavior)) }
      : {}),
    ...(conditions.length > 0 ? { [roundTrip.conditions]: JSON.stringify(conditions) } : {}),
  };
  const meta = dropRoundTripAnnotations(autoscaler.metadata);
  const all = { ...meta?.annotations, ...annotations };
  return {
    ...autoscaler,
    apiVersion: 'autoscaling/v1',
    metadata: { ...meta, ...(Object.keys(all).length > 0 ? { annotations: all } : {}) },
    spec: {
      scaleTargetRef: spec?.scaleTargetRef ?? { kind: '', name: '' },
      ...(spec?.minReplicas === undefined ? {} : { minReplicas: spec.minReplicas }),
      maxReplicas: spec?.maxReplicas ?? 0,
      ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }),
    },
    status: { ...counts, ...(cpu?.averageUtilization === undefined ? {} : { currentCPUUtilizationPercentage: cpu.averageUtilization }) },
  } as AutoscalingV1HorizontalPodAutoscaler;
}

/** Stored as v2. */
export const autoscalerConversion = {
  toStorage: (object: JsonObject): JsonObject =>
    autoscalerToV2(object as unknown as AutoscalingV1HorizontalPodAutoscaler) as unknown as JsonObject,
  fromStorage: (stored: JsonObject): JsonObject => autoscalerFromV2(stored as unknown as HorizontalPodAutoscaler) as unknown as JsonObject,
};
