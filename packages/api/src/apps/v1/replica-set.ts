import { defineResource, scaleSubresource, statusSubresource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const replicaSet = defineResource<KubeObject>({
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
