import { defineResource } from '../../define-resource.ts';
import type { PersistentVolume } from '../../generated/types/core-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';
import { defaultPersistentVolume, persistentVolumeStatusStrategy, persistentVolumeStrategy } from './persistent-volume-strategy.ts';
import { persistentVolumeTable } from './volume-tables.ts';

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
  enforcement: 'enforced',
  resetFields: ['status'],
  defaults: defaultPersistentVolume,
  strategy: persistentVolumeStrategy,
  selectableFields: { name: (v) => v.metadata?.name ?? '' },
  table: persistentVolumeTable,
  subresources: {
    status: statusSubresource('PersistentVolume', persistentVolumeStatusStrategy),
  },
});
