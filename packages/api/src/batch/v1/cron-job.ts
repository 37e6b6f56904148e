import { type DeepReadonly, nameIsDNSSubdomain } from '@skiff/apimachinery';
import { dropDisabledPodFields } from '../../core/v1/pod/drop-disabled.ts';
import { defineResource } from '../../define-resource.ts';
import type { CronJob } from '../../generated/types/batch-v1.ts';
import { generationChanged, specStrategy, statusSubresource } from '../../spec-and-status.ts';
import { nameWarning } from '../../name-warning.ts';
import { defaultCronJob } from './job-defaults.ts';
import { jobSpecWarnings } from './job-warnings.ts';
import { validateCronJob } from './validate-cron-job.ts';
import {
  age,
  boolean,
  containerCells,
  containerColumns,
  defineTable,
  formatLabelSelector,
  integer,
  nameColumn,
  nameOf,
  since,
  wide,
} from '../../table.ts';

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
  resetFields: ['status'],
  defaults: defaultCronJob,
  strategy: specStrategy<CronJob>(
    { generation: { spec: 'io.k8s.api.batch.v1.CronJobSpec' } },
    {
      validateName: nameIsDNSSubdomain,
      prepareForCreate(draft, { warn }) {
        dropDisabledPodFields(draft.spec?.jobTemplate.spec?.template.spec, undefined, podPath, warn);
      },
      prepareForUpdate(draft, old, { warn }) {
        dropDisabledPodFields(draft.spec?.jobTemplate.spec?.template.spec, old.spec?.jobTemplate.spec?.template.spec, podPath, warn);
      },
      validate: (cronJob, errors) => validateCronJob(cronJob, errors),
      validateUpdate: (cronJob, old, errors) => validateCronJob(cronJob, errors, old),
      warnings: cronJobWarnings,
    },
  ),
  table: defineTable(
    [
      nameColumn,
      'Schedule',
      'Timezone',
      boolean('Suspend'),
      integer('Active'),
      'Last Schedule',
      'Age',
      ...containerColumns,
      wide('Selector'),
    ],
    (c, nowMs) => [
      nameOf(c),
      c.spec?.schedule ?? '',
      c.spec?.timeZone ?? '<none>',
      c.spec?.suspend === undefined ? '<unset>' : c.spec.suspend ? 'True' : 'False',
      (c.status?.active ?? []).length,
      c.status?.lastScheduleTime ? since(c.status.lastScheduleTime, nowMs) : '<none>',
      age(c, nowMs),
      ...containerCells(c.spec?.jobTemplate.spec?.template.spec?.containers),
      formatLabelSelector(c.spec?.jobTemplate.spec?.selector),
    ],
  ),
  subresources: {
    status: statusSubresource('CronJob'),
  },
});

const podPath = 'spec.jobTemplate.spec.template.spec';
function cronJobWarnings(cronJob: DeepReadonly<CronJob>, old?: DeepReadonly<CronJob>): string[] {
  const changed = old === undefined || generationChanged(cronJob, old);
  const zoned = old !== undefined && (cronJob.spec?.schedule ?? '').includes('TZ');
  const link = 'https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/';
  return [
    ...(old ? [] : nameWarning(cronJob, 'Pod names and hostnames')),
    ...(changed ? jobSpecWarnings(cronJob.spec?.jobTemplate.spec, 'spec.jobTemplate.spec') : []),
    ...(zoned ? [`cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see ${link} for more details`] : []),
  ];
}
