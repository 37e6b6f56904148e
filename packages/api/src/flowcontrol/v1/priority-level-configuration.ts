import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { PriorityLevelConfiguration } from '../../generated/types/flowcontrol-v1.ts';
import { keepMetadata, specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { validateConditions, validatePriorityLevel } from './validate-priority-level.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const priorityLevelConfiguration = defineResource<PriorityLevelConfiguration>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'PriorityLevelConfiguration',
  plural: 'prioritylevelconfigurations',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration',
  storageVersionHash: 'Kir5PVfvNeI=',
  resetFields: ['status'],
  strategy: specStrategy<PriorityLevelConfiguration>(
    { generation: { spec: 'io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec' } },
    {
      validateName: nameIsDNSSubdomain,
      validate: (level, errors) => validatePriorityLevel(level, errors),
      validateUpdate: (level, _old, errors) => validatePriorityLevel(level, errors),
    },
  ),
  defaults(level) {
    const { exempt, limited } = level.spec ?? {};
    if (exempt) {
      exempt.nominalConcurrencyShares ??= 0;
      exempt.lendablePercent ??= 0;
    }
    if (limited) {
      limited.nominalConcurrencyShares ??= 30;
      limited.lendablePercent ??= 0;
      const queuing = limited.limitResponse?.queuing;
      if (queuing) {
        queuing.handSize ||= 8;
        queuing.queues ||= 64;
        queuing.queueLengthLimit ||= 50;
      }
    }
  },
  table: defineTable([nameColumn, 'Type', 'NominalConcurrencyShares', 'Queues', 'HandSize', 'QueueLengthLimit', 'Age'], (p, nowMs) => {
    const limited = p.spec?.limited;
    const queuing = limited?.limitResponse?.queuing;
    return [
      nameOf(p),
      p.spec?.type ?? '',
      limited?.nominalConcurrencyShares ?? '<none>',
      queuing?.queues ?? '<none>',
      queuing?.handSize ?? '<none>',
      queuing?.queueLengthLimit ?? '<none>',
      age(p, nowMs),
    ];
  }),
  subresources: {
    status: statusSubresource<PriorityLevelConfiguration>(
      'PriorityLevelConfiguration',
      statusStrategy({
        prepareForUpdate: keepMetadata,
        validateUpdate: (level, _old, errors) => validateConditions(level.status?.conditions, errors),
      }),
    ),
  },
});
