import type { CronJob } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { parseCronSchedule } from './cron-schedule.ts';
import { computeDueTime } from './due-time.ts';

const due = (schedule: string, now: string, o: { last?: string; deadline?: number } = {}) => {
  const cronJob: CronJob = {
    metadata: { creationTimestamp: '2026-01-01T00:00:30Z' },
    spec: { schedule, jobTemplate: {}, ...(o.deadline === undefined ? {} : { startingDeadlineSeconds: o.deadline }) },
    ...(o.last === undefined ? {} : { status: { lastScheduleTime: o.last } }),
  };
  const result = computeDueTime(cronJob, parseCronSchedule(schedule, 'UTC'), { nowMs: Date.parse(now), considerDeadline: true });
  return [result.atMs === undefined ? undefined : new Date(result.atMs).toISOString().slice(0, 16), result.manyMissed];
};

describe('computeDueTime', () => {
  it.each([
    ['nothing yet', '* * * * *', '2026-01-01T00:00:59Z', {}, [undefined, false]],
    ['the first', '* * * * *', '2026-01-01T00:01:00Z', {}, ['2026-01-01T00:01', false]],
    ['nothing since the last', '* * * * *', '2026-01-01T00:05:30Z', { last: '2026-01-01T00:05:00Z' }, [undefined, false]],
    ['the last of several', '* * * * *', '2026-01-01T00:05:30Z', {}, ['2026-01-01T00:05', false]],
    ['the last of very many', '* * * * *', '2026-02-01T00:05:30Z', {}, ['2026-02-01T00:05', true]],
    ['of irregular ones', '0 9,10 * * *', '2026-01-01T23:00:00Z', {}, ['2026-01-01T10:00', false]],
    ['not before the deadline', '0 * * * *', '2026-01-01T05:30:00Z', { deadline: 600 }, [undefined, false]],
  ])('%s', (_name, schedule, now, o, expected) => {
    expect(due(schedule, now, o)).toEqual(expected);
  });
});
