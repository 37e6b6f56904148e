import { defineResource } from '../../define-resource.ts';
import type { ResourceClaim } from '../../generated/types/resource-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

export const resourceClaim = defineResource<ResourceClaim>({
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
