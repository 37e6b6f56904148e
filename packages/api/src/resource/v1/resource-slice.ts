import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const resourceSlice = defineResource<KubeObject>({
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
