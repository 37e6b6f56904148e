import type { DeepReadonly } from '@skiff/apimachinery';
import type { Job } from '../../generated/types/batch-v1.ts';
import {
  age,
  containerCells,
  containerColumns,
  defineTable,
  formatDuration,
  formatLabelSelector,
  isDeleting,
  nameColumn,
  nameOf,
  wide,
} from '../../table.ts';

function statusWord(job: DeepReadonly<Job>): string {
  const is = (type: string): boolean => (job.status?.conditions ?? []).find((c) => c.type === type)?.status === 'True';
  if (is('Complete')) return 'Complete';
  if (is('Failed')) return 'Failed';
  if (isDeleting(job)) return 'Terminating';
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(is) ?? 'Running';
}

function completions(job: DeepReadonly<Job>): string {
  const succeeded = job.status?.succeeded ?? 0;
  if (job.spec?.completions !== undefined) return `${succeeded}/${job.spec.completions}`;
  const parallelism = job.spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function runningTime(job: DeepReadonly<Job>, nowMs: number): string {
  const { startTime, completionTime } = job.status ?? {};
  if (!startTime) return '';
  return formatDuration((completionTime ? Date.parse(completionTime) : nowMs) - Date.parse(startTime));
}

export const jobTable = defineTable<Job>(
  [nameColumn, 'Status', 'Completions', 'Duration', 'Age', ...containerColumns, wide('Selector')],
  (job, nowMs) => [
    nameOf(job),
    statusWord(job),
    completions(job),
    runningTime(job, nowMs),
    age(job, nowMs),
    ...containerCells(job.spec?.template.spec?.containers),
    formatLabelSelector(job.spec?.selector),
  ],
);
