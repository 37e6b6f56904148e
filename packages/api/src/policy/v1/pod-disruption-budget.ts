import { defineResource } from '../../define-resource.ts';
import type { PodDisruptionBudget } from '../../generated/types/policy-v1.ts';
import { specStrategy, statusSubresource } from '../../spec-and-status.ts';

export const podDisruptionBudget = defineResource<PodDisruptionBudget>({
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  scope: 'Namespaced',
  shortNames: ['pdb'],
  schemaName: 'io.k8s.api.policy.v1.PodDisruptionBudget',
  storageVersionHash: 'EVWiDmWqyJw=',
  enforcement: 'stored',
  resetFields: ['status'],
  strategy: specStrategy<PodDisruptionBudget>({ generation: { spec: 'io.k8s.api.policy.v1.PodDisruptionBudgetSpec' } }),
  subresources: {
    status: statusSubresource('PodDisruptionBudget'),
  },
});
