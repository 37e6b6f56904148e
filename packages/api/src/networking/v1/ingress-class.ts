import { defineResource } from '../../define-resource.ts';
import type { IngressClass } from '../../generated/types/networking-v1.ts';

export const ingressClass = defineResource<IngressClass>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.networking.v1.IngressClass',
  storageVersionHash: 'l/iqIbDgFyQ=',
  enforcement: 'stored',
});
