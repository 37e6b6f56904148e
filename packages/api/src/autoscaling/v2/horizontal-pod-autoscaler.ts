import { defineResource } from '../../define-resource.ts';
import type { HorizontalPodAutoscaler } from '../../generated/types/autoscaling-v2.ts';
import { specStrategy, statusSubresource } from '../../spec-and-status.ts';
import { defaultAutoscaler } from './autoscaler-defaults.ts';
import { autoscalerTable } from './autoscaler-table.ts';

export const horizontalPodAutoscaler = defineResource<HorizontalPodAutoscaler>({
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  scope: 'Namespaced',
  shortNames: ['hpa'],
  categories: ['all'],
  schemaName: 'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  storageVersionHash: 'qwQve8ut294=',
  enforcement: 'stored',
  resetFields: ['status'],
  defaults: defaultAutoscaler,
  strategy: specStrategy<HorizontalPodAutoscaler>({}),
  table: autoscalerTable,
  subresources: {
    status: statusSubresource('HorizontalPodAutoscaler'),
  },
});
