import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const configMap = defineResource<KubeObject>({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  scope: 'Namespaced',
  shortNames: ['cm'],
  schemaName: 'io.k8s.api.core.v1.ConfigMap',
  storageVersionHash: 'qFsyl6wFWjQ=',
});
