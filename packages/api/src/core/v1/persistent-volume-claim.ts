import { defineResource } from '../../define-resource.ts';
import type { PersistentVolumeClaim } from '../../generated/types/core-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

export const persistentVolumeClaim = defineResource<PersistentVolumeClaim>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  scope: 'Namespaced',
  shortNames: ['pvc'],
  schemaName: 'io.k8s.api.core.v1.PersistentVolumeClaim',
  storageVersionHash: 'QWTyNDq0dC4=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  resetFields: ['status'],
  subresources: {
    status: statusSubresource('PersistentVolumeClaim'),
  },
});
