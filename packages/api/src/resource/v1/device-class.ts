import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const deviceClass = defineResource<KubeObject>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'DeviceClass',
  plural: 'deviceclasses',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.resource.v1.DeviceClass',
  storageVersionHash: 'Yk2PTc1Ybxk=',
  returnsDeletedObject: true,
  enforcement: 'stored',
});
