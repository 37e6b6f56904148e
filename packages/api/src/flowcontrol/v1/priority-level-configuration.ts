import { defineResource } from '../../define-resource.ts';
import type { PriorityLevelConfiguration } from '../../generated/types/flowcontrol-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

export const priorityLevelConfiguration = defineResource<PriorityLevelConfiguration>({
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
