import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const storageClass = defineResource<KubeObject>({
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
});
