import { defineResource } from '../../define-resource.ts';
import type { ReplicaSet } from '../../generated/types/apps-v1.ts';
import { scaleSubresource, statusSubresource } from '../../spec-and-status.ts';

export const replicaSet = defineResource<ReplicaSet>({
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  scope: 'Namespaced',
  shortNames: ['rs'],
  categories: ['all'],
  schemaName: 'io.k8s.api.apps.v1.ReplicaSet',
  storageVersionHash: 'P1RzHs8/mWQ=',
  resetFields: ['status'],
  subresources: {
    scale: scaleSubresource,
    status: statusSubresource('ReplicaSet'),
  },
});
