import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { ingressStatusWarnings, ingressWarnings, validateIngress, validateIngressStatus } from './validate-ingress.ts';
import { defineResource } from '../../define-resource.ts';
import type { Ingress } from '../../generated/types/networking-v1.ts';
import { specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { ingressTable } from './ingress-table.ts';

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
  strategy: specStrategy<Ingress>(
    { generation: { spec: 'io.k8s.api.networking.v1.IngressSpec' } },
    {
      validateName: nameIsDNSSubdomain,
      validate: (ingress, errors) => validateIngress(ingress, errors),
      validateUpdate: (ingress, old, errors) => validateIngress(ingress, errors, old),
      warnings: ingressWarnings,
    },
  ),
  table: ingressTable,
  subresources: {
    status: statusSubresource('Ingress', statusStrategy({ validateUpdate: validateIngressStatus, warnings: ingressStatusWarnings })),
  },
});
