import { defineResource } from '../../define-resource.ts';
import type { Job } from '../../generated/types/batch-v1.ts';
import { specStrategy, statusSubresource } from '../../spec-and-status.ts';
import { nameWarning } from '../../name-warning.ts';
import { defaultJob } from './job-defaults.ts';
import { generateSelector } from './job-selector.ts';
import { jobTable } from './job-table.ts';

export const job = defineResource<Job>({
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  scope: 'Namespaced',
  categories: ['all'],
  schemaName: 'io.k8s.api.batch.v1.Job',
  storageVersionHash: 'mudhfqk/qZY=',
  resetFields: ['status'],
  defaults: defaultJob,
  strategy: specStrategy<Job>(
    { generation: { spec: 'io.k8s.api.batch.v1.JobSpec' } },
    {
      defaultGarbageCollection: 'orphan',
      prepareForCreate: generateSelector,
      warnings: (job, old) => (old ? [] : nameWarning(job, 'Pod names and hostnames')),
    },
  ),
  selectableFields: { 'status.successful': (j) => String(j.status?.succeeded ?? 0) },
  table: jobTable,
  subresources: {
    status: statusSubresource('Job'),
  },
});
