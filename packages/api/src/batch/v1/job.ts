import { defineResource } from '../../define-resource.ts';
import type { Job } from '../../generated/types/batch-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

export const job = defineResource<Job>({
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  scope: 'Namespaced',
  categories: ['all'],
  schemaName: 'io.k8s.api.batch.v1.Job',
  storageVersionHash: 'mudhfqk/qZY=',
  enforcement: 'stored',
  resetFields: ['status'],
  subresources: {
    status: statusSubresource('Job'),
  },
});
