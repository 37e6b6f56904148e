import { defineResource, statusSubresource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const cronJob = defineResource<KubeObject>({
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  plural: 'cronjobs',
  scope: 'Namespaced',
  shortNames: ['cj'],
  categories: ['all'],
  schemaName: 'io.k8s.api.batch.v1.CronJob',
  storageVersionHash: 'sd5LIXh4Fjs=',
  enforcement: 'stored',
  resetFields: ['status'],
  subresources: {
    status: statusSubresource('CronJob'),
  },
});
