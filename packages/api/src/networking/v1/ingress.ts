import { defineResource } from '../../define-resource.ts';
import type { Ingress } from '../../generated/types/networking-v1.ts';
import { specStrategy, statusSubresource } from '../../spec-and-status.ts';
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
      warnings: (ingress, old) =>
        old === undefined && ingress.metadata?.annotations?.['kubernetes.io/ingress.class'] !== undefined && !ingress.spec?.ingressClassName
          ? [`annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead`]
          : [],
    },
  ),
  table: ingressTable,
  subresources: {
    status: statusSubresource('Ingress'),
  },
});
