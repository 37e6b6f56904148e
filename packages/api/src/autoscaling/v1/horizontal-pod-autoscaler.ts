import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { AutoscalingV1HorizontalPodAutoscaler } from '../../generated/types/autoscaling-v1.ts';
import { specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { defineTable } from '../../table.ts';
import { autoscalerTable } from '../v2/autoscaler-table.ts';
import { validateAutoscaler, validateAutoscalerStatus } from '../v2/validate-autoscaler.ts';
import { autoscalerConversion, autoscalerFromV2, autoscalerToV2, metricsOf } from './autoscaler-conversion.ts';

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
  resetFields: ['status'],
  defaults(autoscaler) {
    const spec = autoscaler.spec;
    if (spec === undefined) return;
    spec.minReplicas ??= 1;
    const target = metricsOf(autoscaler).find((m) => m.resource?.name === 'cpu')?.resource?.target.averageUtilization;
    if (target !== undefined) spec.targetCPUUtilizationPercentage ??= target;
  },
  strategy: specStrategy<AutoscalingV1HorizontalPodAutoscaler>(
    {},
    {
      validateName: nameIsDNSSubdomain,
      validate: (autoscaler, errors) => validateAutoscaler(autoscalerToV2(autoscaler), errors),
      canonicalize: asStored,
      validateUpdate: (autoscaler, old, errors) => validateAutoscaler(autoscalerToV2(autoscaler), errors, autoscalerToV2(old)),
    },
  ),
  subresources: {
    status: statusSubresource(
      'HorizontalPodAutoscaler',
      statusStrategy({ validateUpdate: (autoscaler, _old, errors) => validateAutoscalerStatus(autoscalerToV2(autoscaler), errors) }),
    ),
  },
  table: defineTable(autoscalerTable.columns, (autoscaler, nowMs) => autoscalerTable.row(autoscalerToV2(autoscaler), nowMs)),
  conversion: autoscalerConversion,
});

/** Answers show what will be read back: annotations say no more and no less than v2 keeps. */
function asStored(draft: AutoscalingV1HorizontalPodAutoscaler): void {
  const { metadata, spec } = autoscalerFromV2(autoscalerToV2(draft));
  if (spec !== undefined) draft.spec = spec;
  if (draft.metadata === undefined) return;
  if (metadata?.annotations === undefined) delete draft.metadata.annotations;
  else draft.metadata.annotations = metadata.annotations;
}
