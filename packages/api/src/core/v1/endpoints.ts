import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const endpoints = defineResource<KubeObject>({
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  scope: 'Namespaced',
  shortNames: ['ep'],
  schemaName: 'io.k8s.api.core.v1.Endpoints',
  storagePrefix: 'services/endpoints',
  storageVersionHash: 'fWeeMqaN/OA=',
});
