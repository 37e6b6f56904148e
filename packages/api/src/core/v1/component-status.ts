import { defineResource } from '../../define-resource.ts';
import type { ComponentStatus } from '../../generated/types/core-v1.ts';

export const componentStatus = defineResource<ComponentStatus>({
  group: '',
  version: 'v1',
  kind: 'ComponentStatus',
  plural: 'componentstatuses',
  scope: 'Cluster',
  shortNames: ['cs'],
  verbs: ['get', 'list'],
  schemaName: 'io.k8s.api.core.v1.ComponentStatus',
});
