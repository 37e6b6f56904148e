import { defineResource } from '../../define-resource.ts';
import type { ComponentStatus } from '../../generated/types/core-v1.ts';
import { defineTable, nameColumn, nameOf } from '../../table.ts';

export const componentStatus = defineResource<ComponentStatus>({
  group: '',
  version: 'v1',
  kind: 'ComponentStatus',
  plural: 'componentstatuses',
  scope: 'Cluster',
  shortNames: ['cs'],
  verbs: ['get', 'list'],
  schemaName: 'io.k8s.api.core.v1.ComponentStatus',
  table: defineTable([nameColumn, 'Status', 'Message', 'Error'], (c) => {
    const healthy = (c.conditions ?? []).find((x) => x.type === 'Healthy');
    const status = healthy === undefined ? 'Unknown' : healthy.status === 'True' ? 'Healthy' : 'Unhealthy';
    return [nameOf(c), status, healthy?.message ?? '', healthy?.error ?? ''];
  }),
});
