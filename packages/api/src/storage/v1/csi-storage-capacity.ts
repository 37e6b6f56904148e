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
  enforcement: 'stored',
  strategy: { allowUnconditionalUpdate: false },
});
