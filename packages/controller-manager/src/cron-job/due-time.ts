import type { CronJob } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { CronSchedule } from './cron-schedule.ts';

export type CronJobView = DeepReadonly<CronJob>;

export interface DueTime {
  /** The last scheduled time that has come since the last run. */
  readonly atMs: number | undefined;
  /** More than a hundred were missed. */
  readonly manyMissed: boolean;
}

/** What is due now. Of several missed times only the last counts. `considerDeadline`: times before the deadline don't. */
export function computeDueTime(cronJob: CronJobView, schedule: CronSchedule, o: { nowMs: number; considerDeadline: boolean }): DueTime {
  const none: DueTime = { atMs: undefined, manyMissed: false };
  let earliest = Date.parse(cronJob.status?.lastScheduleTime ?? cronJob.metadata?.creationTimestamp ?? '');
  const deadline = cronJob.spec?.startingDeadlineSeconds;
  if (o.considerDeadline && deadline !== undefined) earliest = Math.max(earliest, o.nowMs - deadline * 1000);
  const first = schedule.next(earliest);
  const second = first === undefined ? undefined : schedule.next(first);
  if (first === undefined || o.nowMs < first) return none;
  if (second === undefined || o.nowMs < second) return { atMs: first, manyMissed: false };
  const missed = Math.floor((o.nowMs - first) / (second - first)) + 1;
  // Near the end of the gap, so that years of missed minutes aren't walked through.
  let at: number | undefined;
  for (let t = schedule.next(first + (missed - 2) * (second - first)); t !== undefined && t <= o.nowMs; t = schedule.next(t)) at = t;
  if (at === undefined) at = lastBefore(schedule, first, o.nowMs);
  return { atMs: at, manyMissed: missed > 100 };
}

/** Irregular schedules may have none near the end. */
function lastBefore(schedule: CronSchedule, first: number, nowMs: number): number {
  let at = first;
  for (let t = schedule.next(at); t !== undefined && t <= nowMs; t = schedule.next(t)) at = t;
  return at;
}
