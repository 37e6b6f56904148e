import { defineResource, scaleSubresource, statusSubresource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const replicationController = defineResource<KubeObject>({
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
