import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { capacityWarnings, validateCapacity, validateCapacityUpdate } from './validate-classes.ts';
import { defineResource } from '../../define-resource.ts';
import type { CSIStorageCapacity } from '../../generated/types/storage-v1.ts';

export const csiStorageCapacity = defineResource<CSIStorageCapacity>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIStorageCapacity',
  plural: 'csistoragecapacities',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.storage.v1.CSIStorageCapacity',
  storageVersionHash: 'xeVl+2Ly1kE=',
  enforcement: 'enforced',
  strategy: {
    validateName: nameIsDNSSubdomain,
    allowUnconditionalUpdate: false,
    validate: (capacity, errors) => validateCapacity(capacity, errors),
    validateUpdate: validateCapacityUpdate,
    warnings: capacityWarnings,
  },
});
