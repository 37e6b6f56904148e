import { defineResource } from '../../define-resource.ts';
import type { StorageClass } from '../../generated/types/storage-v1.ts';

export const storageClass = defineResource<StorageClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  scope: 'Cluster',
  shortNames: ['sc'],
  schemaName: 'io.k8s.api.storage.v1.StorageClass',
  storageVersionHash: 'K+m6uJwbjGY=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  defaults(storageClass) {
    storageClass.reclaimPolicy ??= 'Delete';
    storageClass.volumeBindingMode ??= 'Immediate';
  },
});
