import { defineResource } from '../../define-resource.ts';
import type { Service } from '../../generated/types/core-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

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
  subresources: {
    proxy: { kind: 'ServiceProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
    status: statusSubresource('Service'),
  },
});
