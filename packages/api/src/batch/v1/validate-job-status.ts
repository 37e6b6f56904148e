import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type { Job, JobStatus } from '../../generated/types/batch-v1.ts';
import { goValue } from '../../go-value.ts';
import { deepEqual, semanticEqual } from '../../semantic-equality.ts';
import { invalidWhole, nonNegative } from '../../validation.ts';
import { commonIndex, countIndexes } from './job-indexes.ts';

type Status = DeepReadonly<JobStatus>;

const has = (status: Status, type: string): boolean => (status.conditions ?? []).some((c) => c.type === type && c.status === 'True');
const isFinished = (status: Status): boolean => has(status, 'Complete') || has(status, 'Failed');

/** What the write changes; rules about a field apply to writes that change it, so that old faults do not stop others. */
interface Changes {
  readonly complete: boolean;
  readonly failed: boolean;
  readonly finished: boolean;
  readonly failureTarget: boolean;
  readonly criteriaMet: boolean;
  readonly completedIndexes: boolean;
  readonly failedIndexes: boolean;
  readonly active: boolean;
  readonly startTime: boolean;
  readonly completionTime: boolean;
  readonly uncounted: boolean;
  readonly ready: boolean;
  readonly terminating: boolean;
}

function changesOf(now: Status, old: Status): Changes {
  const condition = (type: string): boolean => has(now, type) !== has(old, type);
  return {
    complete: condition('Complete'),
    failed: condition('Failed'),
    finished: isFinished(now) !== isFinished(old),
    failureTarget: condition('FailureTarget'),
    criteriaMet: condition('SuccessCriteriaMet'),
    completedIndexes: (now.completedIndexes ?? '') !== (old.completedIndexes ?? ''),
    failedIndexes: now.failedIndexes !== old.failedIndexes,
    active: (now.active ?? 0) !== (old.active ?? 0),
    startTime: now.startTime !== old.startTime,
    completionTime: now.completionTime !== old.completionTime,
    uncounted: !semanticEqual('io.k8s.api.batch.v1.UncountedTerminatedPods', now.uncountedTerminatedPods, old.uncountedTerminatedPods),
    ready: now.ready !== old.ready,
    terminating: now.terminating !== old.terminating,
  };
}

const conditionsPath = 'status.conditions';

function validateUncounted(status: Status, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const list of ['succeeded', 'failed'] as const) {
    for (const [i, uid] of (status.uncountedTerminatedPods?.[list] ?? []).entries()) {
      const at = `status.uncountedTerminatedPods.${list}[${i}]`;
      if (uid === '') errors.invalid(at, uid, 'must not be empty');
      else if (seen.has(uid)) errors.duplicate(at, uid);
      seen.add(uid);
    }
  }
}

function validateCompletion(status: Status, changes: Changes, errors: FieldErrors): void {
  const [complete, failed] = [has(status, 'Complete'), has(status, 'Failed')];
  const { completionTime, startTime } = status;
  if ((changes.complete || changes.failed) && complete && failed) {
    invalidWhole(errors, conditionsPath, 'cannot set Complete=True and Failed=true conditions');
  }
  if ((changes.complete || changes.failureTarget) && complete && has(status, 'FailureTarget')) {
    invalidWhole(errors, conditionsPath, 'cannot set Complete=True and FailureTarget=true conditions');
  }
  if (changes.complete || changes.completionTime) {
    const path = 'status.completionTime';
    if (completionTime !== undefined && !complete) {
      errors.invalid(path, completionTime, 'cannot set completionTime when there is no Complete=True condition');
    }
    if (completionTime === undefined && complete) errors.required(path, 'completionTime is required for Complete jobs');
  }
  const earlier = startTime !== undefined && completionTime !== undefined && Date.parse(completionTime) < Date.parse(startTime);
  if ((changes.startTime || changes.completionTime) && earlier) {
    errors.invalid('status.completionTime', completionTime, 'must be equal to or after `startTime`');
  }
  if ((changes.failed || changes.failedIndexes) && failed && !has(status, 'FailureTarget')) {
    invalidWhole(errors, conditionsPath, 'cannot set Failed=True condition without the FailureTarget=true condition');
  }
  if ((changes.complete || changes.criteriaMet) && complete && !has(status, 'SuccessCriteriaMet')) {
    invalidWhole(errors, conditionsPath, 'cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  }
}

function validateFinished(job: DeepReadonly<Job>, changes: Changes, errors: FieldErrors): void {
  const status = job.status ?? {};
  if (!isFinished(status)) return;
  const started = status.startTime !== undefined;
  if ((changes.finished || changes.active) && (status.active ?? 0) > 0) {
    errors.invalid('status.active', status.active, 'active>0 is invalid for finished job');
  }
  const neverRuns = job.spec?.suspend === true && job.spec.completions === 0;
  if ((changes.finished || changes.startTime) && !neverRuns && !started) {
    errors.required('status.startTime', 'startTime is required for finished job');
  }
  const uncounted = status.uncountedTerminatedPods;
  const count = (uncounted?.succeeded ?? []).length + (uncounted?.failed ?? []).length;
  if ((changes.finished || changes.uncounted) && uncounted && count > 0) {
    const shown = goValue('io.k8s.api.batch.v1.UncountedTerminatedPods', uncounted);
    errors.invalid('status.uncountedTerminatedPods', shown, 'must be empty for finished job');
  }
}

function validateIndexes(job: DeepReadonly<Job>, changes: Changes, errors: FieldErrors): void {
  const { completedIndexes = '', failedIndexes } = job.status ?? {};
  const { completions, completionMode, backoffLimitPerIndex } = job.spec ?? {};
  const check = (field: string, text: string): void => {
    const counted = countIndexes(text, completions ?? 0);
    if (typeof counted === 'string') errors.invalid(`status.${field}`, text, `error parsing ${field}: ${counted}`);
  };
  if (changes.completedIndexes && completions !== undefined) check('completedIndexes', completedIndexes);
  const limited = completions !== undefined && backoffLimitPerIndex !== undefined;
  if (changes.failedIndexes && limited && failedIndexes !== undefined) check('failedIndexes', failedIndexes);
  if (changes.completedIndexes && completedIndexes !== '' && completionMode !== 'Indexed') {
    const detail = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    errors.invalid('status.completedIndexes', completedIndexes, detail);
  }
  if (failedIndexes === undefined) return;
  if (changes.failedIndexes && backoffLimitPerIndex === undefined) {
    errors.invalid('status.failedIndexes', failedIndexes, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null');
  }
  if ((changes.failedIndexes || changes.completedIndexes) && completions !== undefined) {
    const both = commonIndex(completedIndexes, failedIndexes, completions);
    if (both !== undefined) {
      errors.invalid('status.failedIndexes', failedIndexes, `failedIndexes and completedIndexes overlap at index: ${both}`);
    }
  }
}

export function validateJobStatus(job: DeepReadonly<Job>, old: DeepReadonly<Job>, errors: FieldErrors): void {
  const [status, before]: [Status, Status] = [job.status ?? {}, old.status ?? {}];
  const changes = changesOf(status, before);
  for (const field of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const)
    nonNegative(errors, `status.${field}`, status[field]);
  validateUncounted(status, errors);
  validateCompletion(status, changes, errors);
  validateFinished(job, changes, errors);
  validateIndexes(job, changes, errors);
  if ((changes.finished || changes.terminating) && isFinished(status) && (status.terminating ?? 0) > 0) {
    errors.invalid('status.terminating', status.terminating, 'terminating>0 is invalid for finished job');
  }
  if ((changes.ready || changes.active) && (status.ready ?? 0) > (status.active ?? 0)) {
    errors.invalid('status.ready', status.ready, 'cannot set more ready pods than active');
  }
  const met = has(status, 'SuccessCriteriaMet');
  if (met && has(status, 'Failed')) invalidWhole(errors, conditionsPath, 'cannot set SuccessCriteriaMet=True and Failed=true conditions');
  if (met && has(status, 'FailureTarget')) {
    invalidWhole(errors, conditionsPath, 'cannot set SuccessCriteriaMet=True and FailureTarget=true conditions');
  }
  if (job.spec?.successPolicy && !met && has(status, 'Complete')) {
    invalidWhole(errors, conditionsPath, 'cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True');
  }
  validateTransition(job, old, errors);
}

/** What has ended stays ended, and what was counted stays counted. */
function validateTransition(job: DeepReadonly<Job>, old: DeepReadonly<Job>, errors: FieldErrors): void {
  const [status, before]: [Status, Status] = [job.status ?? {}, old.status ?? {}];
  for (const type of ['Failed', 'Complete', 'FailureTarget']) {
    if (has(before, type) && !has(status, type)) invalidWhole(errors, conditionsPath, `cannot disable the terminal ${type}=True condition`);
  }
  const decreased = (field: 'failed' | 'succeeded'): boolean => (status[field] ?? 0) < (before[field] ?? 0);
  if (decreased('failed')) errors.invalid('status.failed', status.failed ?? 0, 'cannot decrease the failed counter');
  const scalable = job.spec?.completionMode === 'Indexed' && job.spec.completions === job.spec.parallelism;
  if (!scalable && decreased('succeeded'))
    errors.invalid('status.succeeded', status.succeeded ?? 0, 'cannot decrease the succeeded counter');
  if (
    status.completionTime !== undefined &&
    before.completionTime !== undefined &&
    !deepEqual(status.completionTime, before.completionTime)
  ) {
    errors.invalid('status.completionTime', status.completionTime, 'field is immutable');
  }
  const resumes = has(before, 'Suspended') && (status.conditions ?? []).some((c) => c.type === 'Suspended' && c.status === 'False');
  if (before.startTime !== undefined && status.startTime !== before.startTime && !job.spec?.suspend && !resumes) {
    errors.invalid('status.startTime', status.startTime ?? null, 'field is immutable for unsuspended job once set');
  }
  const [met, wasMet] = [has(status, 'SuccessCriteriaMet'), has(before, 'SuccessCriteriaMet')];
  if (wasMet && !met) invalidWhole(errors, conditionsPath, 'cannot disable the SuccessCriteriaMet=True condition');
  if (has(before, 'Complete') && !wasMet && met) {
    invalidWhole(errors, conditionsPath, 'cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions');
  }
}
