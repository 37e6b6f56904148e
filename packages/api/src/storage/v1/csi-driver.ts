import { defineResource } from '../../define-resource.ts';
import type { CSIDriver } from '../../generated/types/storage-v1.ts';

export const csiDriver = defineResource<CSIDriver>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  plural: 'csidrivers',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.storage.v1.CSIDriver',
  storageVersionHash: 'hL6j/rwBV5w=',
  returnsDeletedObject: true,
  enforcement: 'stored',
});
