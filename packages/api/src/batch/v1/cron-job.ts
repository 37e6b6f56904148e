import { defineResource } from '../../define-resource.ts';
import type { CronJob } from '../../generated/types/batch-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

export const cronJob = defineResource<CronJob>({
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
