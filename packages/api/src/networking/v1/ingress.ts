import { defineResource } from '../../define-resource.ts';
import type { Ingress } from '../../generated/types/networking-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

export const ingress = defineResource<Ingress>({
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
