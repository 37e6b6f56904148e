import { defineResource } from '../../define-resource.ts';
import type { AutoscalingV1HorizontalPodAutoscaler } from '../../generated/types/autoscaling-v1.ts';
import { specStrategy, statusSubresource } from '../../spec-and-status.ts';

export const horizontalPodAutoscalerV1 = defineResource<AutoscalingV1HorizontalPodAutoscaler>({
  group: 'autoscaling',
  version: 'v1',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  scope: 'Namespaced',
  shortNames: ['hpa'],
  categories: ['all'],
  schemaName: 'io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler',
  storageVersion: { group: 'autoscaling', version: 'v2' },
  storageVersionHash: 'qwQve8ut294=',
  enforcement: 'stored',
  resetFields: ['status'],
  defaults(autoscaler) {
    if (autoscaler.spec) autoscaler.spec.minReplicas ??= 1;
  },
  strategy: specStrategy<AutoscalingV1HorizontalPodAutoscaler>({}),
  subresources: {
    status: statusSubresource('HorizontalPodAutoscaler'),
  },
});
