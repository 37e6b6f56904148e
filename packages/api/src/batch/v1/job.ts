import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { dropDisabledPodFields } from '../../core/v1/pod/drop-disabled.ts';
import { defineResource } from '../../define-resource.ts';
import type { Job } from '../../generated/types/batch-v1.ts';
import { generationChanged, specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { nameWarning } from '../../name-warning.ts';
import { defaultJob } from './job-defaults.ts';
import { generateSelector } from './job-selector.ts';
import { jobTable } from './job-table.ts';
import { jobSpecWarnings } from './job-warnings.ts';
import { validateJob, validateJobUpdate } from './validate-job.ts';
import { validateJobStatus } from './validate-job-status.ts';

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
      validateName: nameIsDNSSubdomain,
      prepareForCreate(draft, { warn }) {
        generateSelector(draft);
        dropDisabledPodFields(draft.spec?.template.spec, undefined, 'spec.template.spec', warn);
      },
      prepareForUpdate(draft, old, { warn }) {
        dropDisabledPodFields(draft.spec?.template.spec, old.spec?.template.spec, 'spec.template.spec', warn);
      },
      validate: (job, errors) => validateJob(job, errors),
      validateUpdate: validateJobUpdate,
      warnings(job, old) {
        if (old && !generationChanged(job, old)) return [];
        return [...(old ? [] : nameWarning(job, 'Pod names and hostnames')), ...jobSpecWarnings(job.spec, 'spec')];
      },
    },
  ),
  selectableFields: { 'status.successful': (j) => String(j.status?.succeeded ?? 0) },
  table: jobTable,
  subresources: {
    status: statusSubresource('Job', statusStrategy({ validateUpdate: validateJobStatus })),
  },
});
