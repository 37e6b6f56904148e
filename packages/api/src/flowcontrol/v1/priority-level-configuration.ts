import { defineResource, statusSubresource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const priorityLevelConfiguration = defineResource<KubeObject>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'PriorityLevelConfiguration',
  plural: 'prioritylevelconfigurations',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration',
  storageVersionHash: 'Kir5PVfvNeI=',
  enforcement: 'stored',
  resetFields: ['status'],
  subresources: {
    status: statusSubresource('PriorityLevelConfiguration'),
  },
});
