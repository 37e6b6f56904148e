import { defineResource, statusSubresource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const resourceClaim = defineResource<KubeObject>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaim',
  plural: 'resourceclaims',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.resource.v1.ResourceClaim',
  storageVersionHash: 'wgAZaHcZxUg=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  resetFields: ['status'],
  subresources: {
    status: statusSubresource('ResourceClaim'),
  },
});
