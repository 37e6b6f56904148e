import type { JobCondition, JobStatus } from '@skiff/api';
import { formatTime } from '@skiff/component-base';
import { findCondition } from '../conditions.ts';
import { formatIndexes } from './completion-indexes.ts';
import { isSuspended, jobCondition, type JobDecision } from './decide-job.ts';
import type { JobView } from './job-policies.ts';

export interface JobStatusChange {
  readonly status: JobStatus;
  /** Set when the job ends with this status. */
  readonly ended: JobCondition | undefined;
  readonly suspension: 'Suspended' | 'Resumed' | undefined;
}

/** The status after `decision` was carried out: `made` and `removed` say how far. */
export function computeJobStatus(
  job: JobView,
  decision: JobDecision,
  o: { made: number; removed: number; removedReady: number; nowMs: number },
): JobStatusChange {
  const old = job.status ?? {};
  let conditions = ((old.conditions ?? []) as readonly JobCondition[]).map((c) => ({ ...c }));
  const active = decision.active + o.made - o.removed;
  const terminating = decision.terminating + o.removed;
  let startTime = old.startTime ?? undefined;
  let suspension: JobStatusChange['suspension'];
  if (startTime === undefined && !isSuspended(job)) startTime = formatTime(o.nowMs);

  const outcome = o.removed < decision.remove.length ? undefined : decision.outcome;
  if (outcome === undefined && job.metadata?.deletionTimestamp === undefined) {
    const suspended = findCondition(conditions, 'Suspended');
    if (isSuspended(job) && suspended?.status !== 'True') {
      conditions = replaced(conditions, jobCondition('Suspended', { reason: 'JobSuspended', message: 'Job suspended', nowMs: o.nowMs }));
      suspension = 'Suspended';
      startTime = undefined;
    } else if (!isSuspended(job) && suspended !== undefined && suspended.status !== 'False') {
      conditions = replaced(
        conditions,
        jobCondition('Suspended', { status: 'False', reason: 'JobResumed', message: 'Job resumed', nowMs: o.nowMs }),
      );
      suspension = 'Resumed';
      startTime = formatTime(o.nowMs);
    }
  }

  if (outcome !== undefined && findCondition(conditions, outcome.type) === undefined) conditions = [...conditions, outcome];
  const uncounted = decision.uncountedSucceeded.length + decision.uncountedFailed.length;
  // The end is told when nothing is left to count and no pod is on its way out any more.
  const over = outcome !== undefined && uncounted === 0 && decision.release.length === 0 && active === 0 && terminating === 0;
  let ended: JobCondition | undefined;
  if (over) {
    ended = jobCondition(outcome.type === 'FailureTarget' ? 'Failed' : 'Complete', {
      reason: outcome.reason ?? '',
      message: outcome.message ?? '',
      nowMs: o.nowMs,
    });
    conditions = replaced(conditions, ended);
  }

  const status: JobStatus = {
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(ended?.type === 'Complete'
      ? { completionTime: ended.lastTransitionTime ?? formatTime(o.nowMs) }
      : old.completionTime
        ? { completionTime: old.completionTime }
        : {}),
    active,
    succeeded: decision.completedIndexes?.size ?? (old.succeeded ?? 0) + decision.counted.succeeded,
    failed: (old.failed ?? 0) + decision.counted.failed,
    terminating,
    ready: decision.ready - o.removedReady,
    uncountedTerminatedPods: {
      ...(decision.uncountedSucceeded.length === 0 ? {} : { succeeded: [...decision.uncountedSucceeded] }),
      ...(decision.uncountedFailed.length === 0 ? {} : { failed: [...decision.uncountedFailed] }),
    },
    ...(decision.completedIndexes === undefined || decision.completedIndexes.size === 0
      ? {}
      : { completedIndexes: formatIndexes(decision.completedIndexes) }),
    ...(decision.failedIndexes === undefined ? {} : { failedIndexes: formatIndexes(decision.failedIndexes) }),
  };
  return { status, ended, suspension };
}

function replaced(conditions: readonly JobCondition[], condition: JobCondition): JobCondition[] {
  const index = conditions.findIndex((c) => c.type === condition.type);
  return index < 0 ? [...conditions, condition] : conditions.map((c, i) => (i === index ? condition : c));
}

/** Absent counts are zero on the wire. */
export function sameJobStatus(a: JobView['status'], b: JobStatus): boolean {
  const facts = (s: JobView['status']): string =>
    JSON.stringify([
      (s?.conditions ?? []).map((c) => [c.type, c.status, c.reason, c.message]),
      s?.startTime,
      s?.completionTime,
      s?.active ?? 0,
      s?.succeeded ?? 0,
      s?.failed ?? 0,
      s?.terminating,
      s?.ready,
      s?.uncountedTerminatedPods?.succeeded ?? [],
      s?.uncountedTerminatedPods?.failed ?? [],
      s?.completedIndexes ?? '',
      s?.failedIndexes,
    ]);
  return facts(a) === facts(b);
}
