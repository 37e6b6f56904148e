import { defineResource } from '../../define-resource.ts';
import type { ReplicationController } from '../../generated/types/core-v1.ts';
import { scaleSubresource, statusSubresource } from '../../spec-and-status.ts';

export const replicationController = defineResource<ReplicationController>({
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  scope: 'Namespaced',
  shortNames: ['rc'],
  categories: ['all'],
  schemaName: 'io.k8s.api.core.v1.ReplicationController',
  storagePrefix: 'controllers',
  storageVersionHash: 'Jond2If31h0=',
  resetFields: ['status'],
  subresources: {
    scale: scaleSubresource,
    status: statusSubresource('ReplicationController'),
  },
});
