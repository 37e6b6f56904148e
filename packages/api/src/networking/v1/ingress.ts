import { defineResource, statusSubresource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const ingress = defineResource<KubeObject>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  scope: 'Namespaced',
  shortNames: ['ing'],
  schemaName: 'io.k8s.api.networking.v1.Ingress',
  storagePrefix: 'ingress',
  storageVersionHash: '39NQlfNR+bo=',
  enforcement: 'stored',
  resetFields: ['status'],
  subresources: {
    status: statusSubresource('Ingress'),
  },
});
