import { defineResource } from '../../define-resource.ts';
import type { Lease } from '../../generated/types/coordination-v1.ts';
import { leaseStrategy } from './lease-strategy.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const lease = defineResource<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.coordination.v1.Lease',
  storageVersionHash: 'gqkMMb/YqFM=',
  strategy: leaseStrategy,
  table: defineTable([nameColumn, 'Holder', 'Age'], (l, nowMs) => [nameOf(l), l.spec?.holderIdentity ?? '', age(l, nowMs)]),
});
