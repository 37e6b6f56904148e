import { defineResource } from '../../define-resource.ts';
import type { ResourceSlice } from '../../generated/types/resource-v1.ts';

export const resourceSlice = defineResource<ResourceSlice>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceSlice',
  plural: 'resourceslices',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.resource.v1.ResourceSlice',
  storageVersionHash: 'KsC072WgaEY=',
  returnsDeletedObject: true,
  enforcement: 'stored',
});
