import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { FlowSchema } from '../../generated/types/flowcontrol-v1.ts';
import { keepMetadata, specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { validateFlowSchema } from './validate-flow-schema.ts';
import { validateConditions } from './validate-priority-level.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const flowSchema = defineResource<FlowSchema>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'FlowSchema',
  plural: 'flowschemas',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.flowcontrol.v1.FlowSchema',
  storageVersionHash: 'GJVAJZSZBIw=',
  resetFields: ['status'],
  strategy: specStrategy<FlowSchema>(
    { generation: { spec: 'io.k8s.api.flowcontrol.v1.FlowSchemaSpec' } },
    {
      validateName: nameIsDNSSubdomain,
      validate: (schema, errors) => validateFlowSchema(schema, errors),
      validateUpdate: (schema, _old, errors) => validateFlowSchema(schema, errors),
    },
  ),
  defaults(flowSchema) {
    if (flowSchema.spec) flowSchema.spec.matchingPrecedence ||= 1000;
  },
  table: defineTable([nameColumn, 'PriorityLevel', 'MatchingPrecedence', 'DistinguisherMethod', 'Age', 'MissingPL'], (s, nowMs) => [
    nameOf(s),
    s.spec?.priorityLevelConfiguration.name ?? '',
    s.spec?.matchingPrecedence ?? 0,
    s.spec?.distinguisherMethod?.type ?? '<none>',
    age(s, nowMs),
    (s.status?.conditions ?? []).find((c) => c.type === 'Dangling')?.status ?? '?',
  ]),
  subresources: {
    status: statusSubresource<FlowSchema>(
      'FlowSchema',
      statusStrategy({
        prepareForUpdate: keepMetadata,
        validateUpdate: (schema, _old, errors) => validateConditions(schema.status?.conditions, errors),
      }),
    ),
  },
});
