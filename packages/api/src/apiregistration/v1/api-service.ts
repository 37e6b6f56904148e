import { defineResource } from '../../define-resource.ts';
import type { APIService } from '../../generated/types/apiregistration-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';
import { apiServiceStatusStrategy, apiServiceStrategy } from './strategy.ts';
import { apiServiceTable } from './table.ts';

export const apiService = defineResource<APIService>({
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  plural: 'apiservices',
  scope: 'Cluster',
  categories: ['api-extensions'],
  schemaName: 'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService',
  storagePrefix: 'apiregistration.k8s.io/apiservices',
  storageVersionHash: 'InPBPD7+PqM=',
  resetFields: ['status'],
  defaults(apiService) {
    const target = apiService.spec?.service;
    if (target) target.port ??= 443;
  },
  strategy: apiServiceStrategy,
  table: apiServiceTable,
  subresources: {
    status: statusSubresource('APIService', apiServiceStatusStrategy),
  },
});
