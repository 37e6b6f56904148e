import { defineResource } from '../../define-resource.ts';
import type { ResourceQuota } from '../../generated/types/core-v1.ts';
import { specStrategy, statusSubresource } from '../../spec-and-status.ts';

export const resourceQuota = defineResource<ResourceQuota>({
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  scope: 'Namespaced',
  shortNames: ['quota'],
  schemaName: 'io.k8s.api.core.v1.ResourceQuota',
  storageVersionHash: '8uhSgffRX6w=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  resetFields: ['status'],
  strategy: specStrategy<ResourceQuota>({}),
  subresources: {
    status: statusSubresource('ResourceQuota'),
  },
});
