import { defineResource } from '../../define-resource.ts';
import type { PodDisruptionBudget } from '../../generated/types/policy-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

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
  subresources: {
    status: statusSubresource('PodDisruptionBudget'),
  },
});
