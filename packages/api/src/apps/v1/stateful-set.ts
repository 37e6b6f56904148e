import { defineResource } from '../../define-resource.ts';
import type { StatefulSet } from '../../generated/types/apps-v1.ts';
import { scaleSubresource, statusSubresource } from '../../spec-and-status.ts';

export const statefulSet = defineResource<StatefulSet>({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  scope: 'Namespaced',
  shortNames: ['sts'],
  categories: ['all'],
  schemaName: 'io.k8s.api.apps.v1.StatefulSet',
  storageVersionHash: 'H+vl74LkKdo=',
  enforcement: 'stored',
  resetFields: ['status'],
  subresources: {
    scale: scaleSubresource,
    status: statusSubresource('StatefulSet'),
  },
});
