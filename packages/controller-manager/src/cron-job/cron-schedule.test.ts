import { describe, expect, it } from 'vitest';
import { CronError, parseCronSchedule } from './cron-schedule.ts';
import { formatLocalTime } from './local-time.ts';

const next = (schedule: string, after: string, zone = 'UTC', count = 1): string[] => {
  const parsed = parseCronSchedule(schedule, zone);
  const result: string[] = [];
  let t = Date.parse(after);
  for (let i = 0; i < count; i++) {
    const at = parsed.next(t);
    if (at === undefined) return [...result, 'never'];
    result.push(formatLocalTime(at, zone));
    t = at;
  }
  return result;
};

describe('cron schedules', () => {
  it.each([
    ['*/15 * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:15:00Z'],
    ['*/15 * * * *', '2026-01-01T00:14:59Z', '2026-01-01T00:15:00Z'],
    ['5/20 * * * *', '2026-01-01T00:26:00Z', '2026-01-01T00:45:00Z'],
    ['0 9-17/4 * * mon-fri', '2026-01-02T17:30:00Z', '2026-01-05T09:00:00Z'],
    ['0 0 31 * *', '2026-01-31T00:00:00Z', '2026-03-31T00:00:00Z'],
    ['0 0 29 feb ?', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
    // Both day fields given: either will do.
    ['0 0 13 * fri', '2026-01-02T00:00:00Z', '2026-01-09T00:00:00Z'],
    // A step makes a star choose by itself; a plain star leaves the choice to the other field.
    ['0 0 */2 * 1', '2026-01-01T00:00:00Z', '2026-01-03T00:00:00Z'],
    ['0 0 * * 1', '2026-01-01T00:00:00Z', '2026-01-05T00:00:00Z'],
    ['@hourly', '2026-01-01T00:30:00Z', '2026-01-01T01:00:00Z'],
    ['@weekly', '2026-01-01T00:30:00Z', '2026-01-04T00:00:00Z'],
    ['@every 90s', '2026-01-01T00:00:00.5Z', '2026-01-01T00:01:30Z'],
    ['0 0 31 2 *', '2026-01-01T00:00:00Z', 'never'],
  ])('%s after %s', (schedule, after, expected) => {
    expect(next(schedule, after)).toEqual([expected]);
  });

  it('skips what the clocks skip, and repeats what they repeat', () => {
    expect(next('30 2 * * *', '2026-03-07T12:00:00Z', 'America/New_York')).toEqual(['2026-03-09T02:30:00-04:00']);
    expect(next('30 1 * * *', '2026-11-01T04:00:00Z', 'America/New_York', 3)).toEqual([
      '2026-11-01T01:30:00-04:00',
      '2026-11-01T01:30:00-05:00',
      '2026-11-02T01:30:00-05:00',
    ]);
    expect(next('0 12 * * *', '2026-10-24T12:00:00Z', 'Europe/Berlin', 2)).toEqual([
      '2026-10-25T12:00:00+01:00',
      '2026-10-26T12:00:00+01:00',
    ]);
  });

  it.each(['* * * *', '60 * * * *', '* * * * 7', '5-1 * * * *', '*/0 * * * *', '@reboot', 'x * * * *', '1-2-3 * * * *'])(
    'refuses "%s"',
    (schedule) => {
      expect(() => parseCronSchedule(schedule, 'UTC')).toThrow(CronError);
    },
  );
  it('refuses unknown zones', () => {
    expect(() => parseCronSchedule('* * * * *', 'Mars/Olympus')).toThrow(RangeError);
  });
});
