import { defineResource } from '../../define-resource.ts';
import type { Deployment } from '../../generated/types/apps-v1.ts';
import { scaleSubresource, statusSubresource } from '../../spec-and-status.ts';

export const deployment = defineResource<Deployment>({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  scope: 'Namespaced',
  shortNames: ['deploy'],
  categories: ['all'],
  schemaName: 'io.k8s.api.apps.v1.Deployment',
  storageVersionHash: '8aSe+NMegvE=',
  resetFields: ['status'],
  subresources: {
    scale: scaleSubresource,
    status: statusSubresource('Deployment'),
  },
});
