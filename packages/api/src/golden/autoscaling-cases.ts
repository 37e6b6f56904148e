import type { Json, JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';

const hpa = one('horizontalPodAutoscaler');
const old = one('horizontalPodAutoscalerV1');

const target: JsonObject = { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' };
const scale = (spec: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  ...more,
  spec: { scaleTargetRef: target, maxReplicas: 3, ...spec },
});
const metrics = (...list: Json[]): JsonObject => scale({ metrics: list });
const described: JsonObject = { kind: 'Service', name: 's' };
const value = (type: string, more: JsonObject = {}): JsonObject => ({ type, ...more });
const good: JsonObject[] = [
  { type: 'Object', object: { describedObject: described, metric: { name: 'm' }, target: value('Value', { value: '5' }) } },
  { type: 'Object', object: { describedObject: described, metric: { name: 'm' }, target: value('AverageValue', { averageValue: '5' }) } },
  { type: 'External', external: { metric: { name: 'm', selector: { matchLabels: { a: 'b' } } }, target: value('Value', { value: '5' }) } },
  { type: 'Pods', pods: { metric: { name: 'm' }, target: value('AverageValue', { averageValue: '5' }) } },
  { type: 'Resource', resource: { name: 'memory', target: value('AverageValue', { averageValue: '5' }) } },
  {
    type: 'ContainerResource',
    containerResource: { name: 'cpu', container: 'c', target: value('Utilization', { averageUtilization: 5 }) },
  },
  { type: 'Resource', resource: { name: 'cpu', target: value('Utilization', { averageUtilization: 50 }) } },
];
const notes = (entries: Record<string, Json>): JsonObject => ({
  metadata: {
    annotations: Object.fromEntries(
      Object.entries(entries).map(([k, v]) => [`autoscaling.alpha.kubernetes.io/${k}`, typeof v === 'string' ? v : JSON.stringify(v)]),
    ),
  },
});
const oldMetrics: JsonObject[] = [
  { type: 'Object', object: { target: described, metricName: 'm', targetValue: '5' } },
  { type: 'Object', object: { target: described, metricName: 'm', targetValue: '0', averageValue: '2' } },
  { type: 'Pods', pods: { metricName: 'm', targetAverageValue: '5' } },
  { type: 'Resource', resource: { name: 'memory', targetAverageUtilization: 5 } },
  { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'c', targetAverageValue: '5' } },
  { type: 'External', external: { metricName: 'm', targetValue: '5' } },
];

export const autoscalingCases: readonly GoldenCase[] = [
  hpa('plain', scale()),
  hpa('nothing', { spec: {} }),
  hpa('numbers', scale({ minReplicas: 5 })),
  hpa('negative', scale({ minReplicas: 0, maxReplicas: -1 })),
  hpa('target', scale({ scaleTargetRef: { kind: 'a/b', name: '%', apiVersion: 'a/b/c' } })),
  hpa('target without group', scale({ scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'v1' } })),
  hpa('target of the core group', scale({ scaleTargetRef: { kind: 'ReplicationController', name: 'd' } })),
  hpa('metrics', metrics(...good)),
  hpa(
    'unknown metric',
    metrics({ type: '' }, { type: 'Odd', pods: { metric: { name: 'a' }, target: value('AverageValue', { averageValue: '1' }) } }),
  ),
  hpa(
    'empty metrics',
    metrics({ type: 'Object' }, { type: 'External' }, { type: 'Pods' }, { type: 'Resource' }, { type: 'ContainerResource' }),
  ),
  hpa('mixed metrics', metrics({ ...good[3], type: 'Object' })),
  hpa(
    'object metric',
    metrics({
      type: 'Object',
      object: { describedObject: { kind: '', name: '', apiVersion: 'a/b/c' }, metric: { name: '' }, target: value('') },
    }),
  ),
  hpa(
    'external metric',
    metrics({ type: 'External', external: { metric: { name: 'a/b' }, target: value('Odd', { value: '0', averageValue: '-1' }) } }),
  ),
  hpa('pods metric', metrics({ type: 'Pods', pods: { metric: { name: 'a' }, target: value('Value', { value: '1' }) } })),
  hpa(
    'resource metric',
    metrics({ type: 'Resource', resource: { name: '', target: value('Utilization', { averageUtilization: 0, averageValue: '1' }) } }),
  ),
  hpa(
    'container metric',
    metrics({ type: 'ContainerResource', containerResource: { name: 'x', container: 'C_', target: value('Utilization') } }),
  ),
  hpa(
    'container metric of nothing',
    metrics({ type: 'ContainerResource', containerResource: { name: '', container: '', target: value('Utilization') } }),
  ),
  hpa('behavior', scale({ behavior: { scaleUp: { selectPolicy: 'Min' } } })),
  hpa(
    'bad behavior',
    scale({
      behavior: {
        scaleUp: { stabilizationWindowSeconds: -1, selectPolicy: 'Odd', tolerance: '-1' },
        scaleDown: {
          stabilizationWindowSeconds: 3601,
          policies: [
            { type: 'Odd', value: 0, periodSeconds: 0 },
            { type: 'Pods', value: 1, periodSeconds: 1801 },
          ],
        },
      },
    }),
  ),
  hpa('annotations of v1', scale({}, notes({ metrics: 'x', behavior: 'y' }))),
  hpa('update', scale(), { change: { spec: { maxReplicas: 0, scaleTargetRef: { apiVersion: 'v1' } } } }),
  hpa('status', scale(), { change: { status: { currentReplicas: -1, desiredReplicas: -1 } }, subresource: 'status' }),

  old('plain', scale()),
  old('nothing', { spec: {} }),
  old('utilization', scale({ targetCPUUtilizationPercentage: 30 })),
  old('other metrics', scale({ targetCPUUtilizationPercentage: 30 }, notes({ metrics: oldMetrics }))),
  old('only other metrics', scale({}, notes({ metrics: [oldMetrics[2] ?? {}] }))),
  old('metrics that are none', scale({}, notes({ metrics: 'x' }))),
  old('behavior', scale({}, notes({ behavior: { ScaleUp: { Policies: [{ Type: 'Pods', Value: 1, PeriodSeconds: 5 }] } } }))),
  old('bad', scale({ minReplicas: 5, targetCPUUtilizationPercentage: 0 })),
  old('update', scale(), { change: { spec: { targetCPUUtilizationPercentage: 90 } } }),
];
