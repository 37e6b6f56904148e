import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { HorizontalPodAutoscaler } from '../../generated/types/autoscaling-v2.ts';
import { specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { defaultAutoscaler } from './autoscaler-defaults.ts';
import { autoscalerTable } from './autoscaler-table.ts';
import { stripRoundTripAnnotations } from './round-trip-annotations.ts';
import { validateAutoscaler, validateAutoscalerStatus } from './validate-autoscaler.ts';

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
  resetFields: ['status'],
  defaults: defaultAutoscaler,
  strategy: specStrategy<HorizontalPodAutoscaler>(
    {},
    {
      validateName: nameIsDNSSubdomain,
      prepareForCreate: (draft) => stripRoundTripAnnotations(draft.metadata),
      prepareForUpdate: (draft) => stripRoundTripAnnotations(draft.metadata),
      validate: (autoscaler, errors) => validateAutoscaler(autoscaler, errors),
      validateUpdate: (autoscaler, old, errors) => validateAutoscaler(autoscaler, errors, old),
    },
  ),
  table: autoscalerTable,
  subresources: {
    status: statusSubresource(
      'HorizontalPodAutoscaler',
      statusStrategy({
        prepareForUpdate: (draft) => stripRoundTripAnnotations(draft.metadata),
        validateUpdate: (autoscaler, _old, errors) => validateAutoscalerStatus(autoscaler, errors),
      }),
    ),
  },
});
