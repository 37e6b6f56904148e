import { defineResource } from '../../define-resource.ts';
import type { CronJob } from '../../generated/types/batch-v1.ts';
import { specStrategy, statusSubresource } from '../../spec-and-status.ts';
import { nameWarning } from '../../name-warning.ts';
import { defaultCronJob } from './job-defaults.ts';
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
  enforcement: 'stored',
  resetFields: ['status'],
  defaults: defaultCronJob,
  strategy: specStrategy<CronJob>(
    { generation: { spec: 'io.k8s.api.batch.v1.CronJobSpec' } },
    {
      warnings(cronJob, old) {
        if (old === undefined) return nameWarning(cronJob, 'Pod names and hostnames');
        return (cronJob.spec?.schedule ?? '').includes('TZ')
          ? [
              'cannot use TZ or CRON_TZ in spec.schedule, use timeZone instead, see https://kubernetes.io/blog/2022/12/15/kubernetes-1-26-introduces-timezone-support/ for more information',
            ]
          : [];
      },
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
