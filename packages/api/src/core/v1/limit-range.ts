import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const limitRange = defineResource<KubeObject>({
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  plural: 'limitranges',
  scope: 'Namespaced',
  shortNames: ['limits'],
  schemaName: 'io.k8s.api.core.v1.LimitRange',
  storageVersionHash: 'EBKMFVe6cwo=',
  enforcement: 'stored',
});
