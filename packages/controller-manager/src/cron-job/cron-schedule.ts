import { parseDuration } from '@skiff/component-base';
import { localFields, startOfLocalDay, type LocalFields } from './local-time.ts';

/** robfig/cron's standard parser (the one Kubernetes uses): five fields, or a descriptor. */
export interface CronSchedule {
  /** The first time after `afterMs`, in milliseconds since the epoch; undefined when there is none within five years. */
  next(afterMs: number): number | undefined;
}
export class CronError extends Error {}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}
const minuteBounds: Bounds = { min: 0, max: 59 };
const hourBounds: Bounds = { min: 0, max: 23 };
const dayBounds: Bounds = { min: 1, max: 31 };
const monthBounds: Bounds = {
  min: 1,
  max: 12,
  names: ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
};
const weekdayBounds: Bounds = { min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] };

const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

interface Field {
  readonly values: ReadonlySet<number>;
  /** Written as `*` or `?`: a day field so written doesn't choose by itself. */
  readonly star: boolean;
}

function parseNumber(text: string, bounds: Bounds): number {
  const named = bounds.names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0 && text !== '') return named;
  if (!/^\d+$/.test(text)) throw new CronError(`failed to parse int from ${text}`);
  return Number(text);
}

function parseRange(text: string, bounds: Bounds): Field {
  const [range = '', step, ...more] = text.split('/');
  if (more.length > 0) throw new CronError(`too many slashes: ${text}`);
  const [low = '', high, ...rest] = range.split('-');
  if (rest.length > 0) throw new CronError(`too many hyphens: ${text}`);
  const star = low === '*' || low === '?';
  let start = star ? bounds.min : parseNumber(low, bounds);
  let end = star ? bounds.max : high === undefined ? start : parseNumber(high, bounds);
  const by = step === undefined ? 1 : parseNumber(step, { min: 0, max: 0 });
  // `5/15` is `5-max/15`; a step makes a star one that chooses.
  if (step !== undefined && !star && high === undefined) end = bounds.max;
  if (start < bounds.min) throw new CronError(`beginning of range (${start}) below minimum (${bounds.min}): ${text}`);
  if (end > bounds.max) throw new CronError(`end of range (${end}) above maximum (${bounds.max}): ${text}`);
  if (start > end) throw new CronError(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (by === 0) throw new CronError(`step of range should be a positive number: ${text}`);
  const values = new Set<number>();
  for (; start <= end; start += by) values.add(start);
  return { values, star: star && by === 1 };
}

function parseField(text: string, bounds: Bounds): Field {
  const ranges = text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => parseRange(part, bounds));
  return { values: new Set(ranges.flatMap((r) => [...r.values])), star: ranges.some((r) => r.star) };
}

const horizonMs = 5 * 366 * 86_400_000;
const minuteMs = 60_000;

/** Parses a schedule; its fields are read in `timeZone` (IANA). Throws CronError, or RangeError for an unknown zone. */
export function parseCronSchedule(text: string, timeZone: string): CronSchedule {
  localFields(0, timeZone);
  const trimmed = text.trim();
  if (trimmed.startsWith('@every ')) {
    const everyMs = parseDuration(trimmed.slice('@every '.length).trim());
    if (everyMs === undefined) throw new CronError(`failed to parse duration ${trimmed}`);
    const stepMs = Math.max(1000, Math.floor(everyMs / 1000) * 1000);
    return { next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + stepMs };
  }
  const expanded = trimmed.startsWith('@') ? descriptors[trimmed] : trimmed;
  if (expanded === undefined) throw new CronError(`unrecognized descriptor: ${trimmed}`);
  const fields = expanded.split(/\s+/).filter((f) => f !== '');
  if (fields.length !== 5) throw new CronError(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  const [minute, hour, day, month, weekday] = [minuteBounds, hourBounds, dayBounds, monthBounds, weekdayBounds].map((bounds, i) =>
    parseField(fields[i] ?? '', bounds),
  ) as [Field, Field, Field, Field, Field];

  const dayMatches = (local: LocalFields): boolean => {
    const [byDate, byWeekday] = [day.values.has(local.day), weekday.values.has(local.weekday)];
    return day.star || weekday.star ? byDate && byWeekday : byDate || byWeekday;
  };
  return {
    next: (afterMs) => {
      let t = Math.floor(afterMs / minuteMs) * minuteMs + minuteMs;
      const limit = t + horizonMs;
      while (t <= limit) {
        const local = localFields(t, timeZone);
        if (!month.values.has(local.month)) t = startOfLocalDay({ ...local, month: local.month + 1, day: 1 }, timeZone);
        else if (!dayMatches(local)) t = startOfLocalDay({ ...local, day: local.day + 1 }, timeZone);
        // Whole hours of real time: an hour that the clocks skip never comes, one that they repeat comes twice.
        else if (!hour.values.has(local.hour)) t += (60 - local.minute) * minuteMs;
        else if (!minute.values.has(local.minute)) t += minuteMs;
        else return t;
      }
      return undefined;
    },
  };
}
