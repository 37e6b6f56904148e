import type { FunctionDeclaration, Overload } from './environment.ts';
import { durationType, intType, stringType, timestampType } from './types.ts';
import { CelError, type Duration, type Timestamp, type Value } from './values.ts';

interface Moment {
  /** Local time, written as if it were UTC. */
  readonly date: Date;
  readonly nanoseconds: bigint;
}

const zoneFormats = new Map<string, Intl.DateTimeFormat>();
/** Throws RangeError where there is no such zone. */
function zoneFormat(zone: string): Intl.DateTimeFormat {
  let format = zoneFormats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    if (zoneFormats.size >= 50) zoneFormats.clear();
    zoneFormats.set(zone, format);
  }
  return format;
}

function zoneOffsetMinutes(zone: string, ms: number): number | CelError {
  const numeric = /^([+-]?)(\d+):(\d+)$/.exec(zone);
  if (numeric !== null) {
    const minutes = Number(numeric[2]) * 60;
    return numeric[1] === '-' ? -minutes - Number(numeric[3]) : minutes + Number(numeric[3]);
  }
  if (zone === 'UTC' || zone === '') return 0;
  try {
    const name = zoneFormat(zone)
      .formatToParts(ms)
      .find((p) => p.type === 'timeZoneName')!.value;
    const m = /GMT(?:([+-])(\d{2}):(\d{2}))?/.exec(name)!;
    return m[1] === undefined ? 0 : (Number(m[2]) * 60 + Number(m[3])) * (m[1] === '-' ? -1 : 1);
  } catch {
    return new CelError(`unknown time zone ${zone}`);
  }
}

function moment(t: Timestamp, zone: string): Moment | CelError {
  const rest = ((t.nanoseconds % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const ms = Number((t.nanoseconds - rest) / 1_000_000n);
  const offset = zoneOffsetMinutes(zone, ms);
  return offset instanceof CelError ? offset : { date: new Date(ms + offset * 60_000), nanoseconds: t.nanoseconds };
}

const dayOfYear = (d: Date): number => {
  const start = new Date(d);
  start.setUTCMonth(0, 1);
  return Math.round((Date.UTC(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate()) - Date.UTC(start.getUTCFullYear(), 0, 1)) / 86_400_000);
};

function part(name: string, id: string, of: (date: Date) => number, ofDuration?: (nanoseconds: bigint) => bigint): FunctionDeclaration {
  const run =
    (zoned: boolean): Overload['run'] =>
    ([t, zone]): Value => {
      const m = moment(t as Timestamp, zoned ? (zone as string) : 'UTC');
      return m instanceof CelError ? m : BigInt(of(m.date));
    };
  const overloads: Overload[] = [
    { id: `timestamp_to_${id}`, member: true, args: [timestampType], result: intType, run: run(false) },
    { id: `timestamp_to_${id}_with_tz`, member: true, args: [timestampType, stringType], result: intType, run: run(true) },
  ];
  if (ofDuration !== undefined) {
    const whole: Overload['run'] = ([d]) => ofDuration((d as Duration).nanoseconds);
    overloads.push({ id: `duration_to_${id}`, member: true, args: [durationType], result: intType, run: whole });
  }
  return { name, overloads };
}

/** Parts of times (in UTC or a zone) and of durations. */
export const timeFunctions: readonly FunctionDeclaration[] = [
  part('getFullYear', 'year', (d) => d.getUTCFullYear()),
  part('getMonth', 'month', (d) => d.getUTCMonth()),
  part('getDayOfYear', 'day_of_year', dayOfYear),
  part('getDayOfMonth', 'day_of_month', (d) => d.getUTCDate() - 1),
  part('getDate', 'day_of_month_1_based', (d) => d.getUTCDate()),
  part('getDayOfWeek', 'day_of_week', (d) => d.getUTCDay()),
  part(
    'getHours',
    'hours',
    (d) => d.getUTCHours(),
    (n) => n / 3_600_000_000_000n,
  ),
  part(
    'getMinutes',
    'minutes',
    (d) => d.getUTCMinutes(),
    (n) => n / 60_000_000_000n,
  ),
  part(
    'getSeconds',
    'seconds',
    (d) => d.getUTCSeconds(),
    (n) => n / 1_000_000_000n,
  ),
  part(
    'getMilliseconds',
    'milliseconds',
    (d) => d.getUTCMilliseconds(),
    (n) => n / 1_000_000n,
  ),
];
