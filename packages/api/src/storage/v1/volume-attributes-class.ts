import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { validateAttributesClass, validateAttributesClassUpdate } from './validate-classes.ts';
import { defineResource } from '../../define-resource.ts';
import type { VolumeAttributesClass } from '../../generated/types/storage-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const volumeAttributesClass = defineResource<VolumeAttributesClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttributesClass',
  plural: 'volumeattributesclasses',
  scope: 'Cluster',
  shortNames: ['vac'],
  schemaName: 'io.k8s.api.storage.v1.VolumeAttributesClass',
  storageVersionHash: 'tIjydgKBC5w=',
  returnsDeletedObject: true,
  enforcement: 'enforced',
  strategy: {
    validateName: nameIsDNSSubdomain,
    validate: (c, errors) => validateAttributesClass(c, errors),
    validateUpdate: validateAttributesClassUpdate,
  },
  table: defineTable([nameColumn, 'DriverName', 'Age'], (c, nowMs) => [nameOf(c), c.driverName ?? '', age(c, nowMs)]),
});
