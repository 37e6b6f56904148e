import type { DeepReadonly } from '@skiff/apimachinery';
import type {
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from '../../generated/types/autoscaling-v2.ts';
import { moreOfAList } from '../../more-of-a-list.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

type Target = DeepReadonly<MetricTarget> | undefined;
type Current = DeepReadonly<MetricValueStatus> | undefined;
const unknown = '<unknown>';

function valueText(target: Target, current: Current): string {
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? unknown}/${target.averageValue} (avg)`;
  return `${current === undefined ? unknown : (current.value ?? '0')}/${target?.value ?? '0'}`;
}

function resourceText(name: string, target: Target, current: Current): string {
  if (target?.averageValue !== undefined)
    return `${name}: ${current === undefined ? unknown : (current.averageValue ?? '0')}/${target.averageValue}`;
  const percent = (value: number | undefined, absent: string): string => (value === undefined ? absent : `${value}%`);
  return `${name}: ${percent(current?.averageUtilization, unknown)}/${percent(target?.averageUtilization, '<auto>')}`;
}

function metricText(spec: DeepReadonly<MetricSpec>, status: DeepReadonly<MetricStatus> | undefined): string {
  switch (spec.type) {
    case 'External':
      return valueText(spec.external?.target, status?.external?.current);
    case 'Object':
      return valueText(spec.object?.target, status?.object?.current);
    case 'Pods':
      return `${status?.pods === undefined ? unknown : (status.pods.current.averageValue ?? '0')}/${spec.pods?.target.averageValue ?? '0'}`;
    case 'Resource':
      return resourceText(spec.resource?.name ?? '', spec.resource?.target, status?.resource?.current);
    case 'ContainerResource':
      return resourceText(spec.containerResource?.name ?? '', spec.containerResource?.target, status?.containerResource?.current);
    default:
      return '<unknown type>';
  }
}

function targets(autoscaler: DeepReadonly<HorizontalPodAutoscaler>): string {
  const metrics = (autoscaler.spec?.metrics ?? []).map((m, i) => metricText(m, autoscaler.status?.currentMetrics?.[i]));
  return metrics.length === 0 ? '<none>' : moreOfAList(metrics, 2, ', ');
}

export const autoscalerTable = defineTable<HorizontalPodAutoscaler>(
  [nameColumn, 'Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas', 'Age'],
  (autoscaler, nowMs) => [
    nameOf(autoscaler),
    `${autoscaler.spec?.scaleTargetRef.kind ?? ''}/${autoscaler.spec?.scaleTargetRef.name ?? ''}`,
    targets(autoscaler),
    String(autoscaler.spec?.minReplicas ?? '<unset>'),
    autoscaler.spec?.maxReplicas ?? 0,
    autoscaler.status?.currentReplicas ?? 0,
    age(autoscaler, nowMs),
  ],
);
