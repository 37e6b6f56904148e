import { defineResource } from '../../define-resource.ts';
import type { Service } from '../../generated/types/core-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';
import { defaultService } from './service/default-service.ts';
import { serviceStatusStrategy, serviceStrategy } from './service/strategy.ts';
import { serviceTable } from './service/table.ts';

export const service = defineResource<Service>({
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  scope: 'Namespaced',
  shortNames: ['svc'],
  categories: ['all'],
  schemaName: 'io.k8s.api.core.v1.Service',
  storagePrefix: 'services/specs',
  storageVersionHash: '0/CO1lhkEBI=',
  returnsDeletedObject: true,
  resetFields: ['status'],
  defaults: defaultService,
  strategy: serviceStrategy,
  selectableFields: { 'spec.clusterIP': (s) => s.spec?.clusterIP ?? '', 'spec.type': (s) => s.spec?.type ?? '' },
  table: serviceTable,
  subresources: {
    proxy: { kind: 'ServiceProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
    status: statusSubresource('Service', serviceStatusStrategy),
  },
});
