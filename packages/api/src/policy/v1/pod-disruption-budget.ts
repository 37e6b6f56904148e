import { validateBudget, validateBudgetStatus } from './validate.ts';
import { defineResource } from '../../define-resource.ts';
import type { PodDisruptionBudget } from '../../generated/types/policy-v1.ts';
import { specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { age, defineTable, integer, nameColumn, nameOf } from '../../table.ts';

export const podDisruptionBudget = defineResource<PodDisruptionBudget>({
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  scope: 'Namespaced',
  shortNames: ['pdb'],
  schemaName: 'io.k8s.api.policy.v1.PodDisruptionBudget',
  storageVersionHash: 'EVWiDmWqyJw=',
  resetFields: ['status'],
  strategy: specStrategy<PodDisruptionBudget>(
    { generation: { spec: 'io.k8s.api.policy.v1.PodDisruptionBudgetSpec' } },
    {
      allowUnconditionalUpdate: false,
      validate: (budget, errors) => validateBudget(budget, errors),
      validateUpdate: (budget, old, errors) => validateBudget(budget, errors, old),
    },
  ),
  table: defineTable([nameColumn, 'Min Available', 'Max Unavailable', integer('Allowed Disruptions'), 'Age'], (b, nowMs) => [
    nameOf(b),
    String(b.spec?.minAvailable ?? 'N/A'),
    String(b.spec?.maxUnavailable ?? 'N/A'),
    b.status?.disruptionsAllowed ?? 0,
    age(b, nowMs),
  ]),
  subresources: {
    status: statusSubresource(
      'PodDisruptionBudget',
      statusStrategy({
        allowUnconditionalUpdate: false,
        validateUpdate: (budget, _old, errors) => validateBudgetStatus(budget, errors),
      }),
    ),
  },
});
