import { defineResource } from '../../define-resource.ts';
import type { ResourceClaimTemplate } from '../../generated/types/resource-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const resourceClaimTemplate = defineResource<ResourceClaimTemplate>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaimTemplate',
  plural: 'resourceclaimtemplates',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.resource.v1.ResourceClaimTemplate',
  storageVersionHash: 'TuzjC49aUfM=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  table: defineTable([nameColumn, 'Age'], (o, nowMs) => [nameOf(o), age(o, nowMs)]),
});
