import { defaultPodSpec } from '../../core/v1/pod/default-pod-spec.ts';
import type { CronJob, Job, JobSpec } from '../../generated/types/batch-v1.ts';

const maxInt32 = 2147483647;

export function defaultJob(job: Job): void {
  const spec = job.spec;
  if (spec === undefined) return;
  const labels = spec.template.metadata?.labels;
  if (labels && Object.keys(job.metadata?.labels ?? {}).length === 0) (job.metadata ??= {}).labels = { ...labels };
  // A work queue has parallelism and no completions; only a Job that says neither is one run of one Pod.
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : maxInt32;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  spec.manualSelector ??= false;
  defaultNested(spec);
}

/** A template of a Job gets only what its Pods and patterns need; the rest comes when the Job is made. */
function defaultNested(spec: JobSpec): void {
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
  }
  defaultPodSpec((spec.template.spec ??= { containers: [] }));
}

export function defaultCronJob(cronJob: CronJob): void {
  const spec = cronJob.spec;
  if (spec === undefined) return;
  spec.concurrencyPolicy ||= 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  const template = spec.jobTemplate.spec;
  if (template) defaultNested(template);
}
