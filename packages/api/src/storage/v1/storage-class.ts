import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { storageClassWarnings, validateStorageClass, validateStorageClassUpdate } from './validate-classes.ts';
import { defineResource } from '../../define-resource.ts';
import type { StorageClass } from '../../generated/types/storage-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

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
  enforcement: 'enforced',
  defaults(storageClass) {
    storageClass.reclaimPolicy ??= 'Delete';
    storageClass.volumeBindingMode ??= 'Immediate';
  },
  strategy: {
    validateName: nameIsDNSSubdomain,
    validate: (c, errors) => validateStorageClass(c, errors),
    validateUpdate: validateStorageClassUpdate,
    warnings: storageClassWarnings,
  },
  table: defineTable([nameColumn, 'Provisioner', 'ReclaimPolicy', 'VolumeBindingMode', 'AllowVolumeExpansion', 'Age'], (c, nowMs) => {
    const isDefault = ['', 'beta.'].some((p) => c.metadata?.annotations?.[`storageclass.${p}kubernetes.io/is-default-class`] === 'true');
    return [
      `${nameOf(c)}${isDefault ? ' (default)' : ''}`,
      c.provisioner ?? '',
      c.reclaimPolicy ?? 'Delete',
      c.volumeBindingMode ?? 'Immediate',
      c.allowVolumeExpansion ?? false,
      age(c, nowMs),
    ];
  }),
});
