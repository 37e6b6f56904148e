import { defineResource, statusSubresource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const resourceQuota = defineResource<KubeObject>({
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
  subresources: {
    status: statusSubresource('ResourceQuota'),
  },
});
