import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const runtimeClass = defineResource<KubeObject>({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.node.v1.RuntimeClass',
  storageVersionHash: 'WQTu1GL3T2Q=',
  enforcement: 'stored',
});
