import { defineResource } from '../../define-resource.ts';
import type { PersistentVolume } from '../../generated/types/core-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

export const persistentVolume = defineResource<PersistentVolume>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  scope: 'Cluster',
  shortNames: ['pv'],
  schemaName: 'io.k8s.api.core.v1.PersistentVolume',
  storageVersionHash: 'HN/zwEC+JgM=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  resetFields: ['status'],
  subresources: {
    status: statusSubresource('PersistentVolume'),
  },
});
