export interface LocalFields {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formatters.set(timeZone, made);
  return made;
}

/** What a clock in `timeZone` shows. Throws RangeError for a zone that is none. */
export function localFields(ms: number, timeZone: string): LocalFields {
  const parts: Record<string, number> = {};
  for (const { type, value } of formatterOf(timeZone).formatToParts(ms)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return { year, month, day, hour, minute, second, weekday: new Date(Date.UTC(year, month - 1, day)).getUTCDay() };
}

/** What local time is ahead of UTC, milliseconds. */
export function offsetMs(ms: number, timeZone: string): number {
  const f = localFields(ms, timeZone);
  return Date.UTC(f.year, f.month - 1, f.day, f.hour, f.minute, f.second) - Math.floor(ms / 1000) * 1000;
}

/** The first moment of a local day; month and day may be past their ends. Where midnight is skipped, the day begins later. */
export function startOfLocalDay(f: Pick<LocalFields, 'year' | 'month' | 'day'>, timeZone: string): number {
  const wall = Date.UTC(f.year, f.month - 1, f.day);
  const guess = wall - offsetMs(wall, timeZone);
  const start = wall - offsetMs(guess, timeZone);
  const shown = localFields(start, timeZone);
  // Still the evening before: midnight doesn't exist, and the clocks jump over it.
  return shown.hour >= 12 ? start + (24 - shown.hour) * 3_600_000 - shown.minute * 60_000 : start;
}

/** RFC 3339 with the zone's offset. */
export function formatLocalTime(ms: number, timeZone: string): string {
  const offset = offsetMs(ms, timeZone);
  if (offset === 0) return `${new Date(ms).toISOString().slice(0, 19)}Z`;
  const minutes = Math.abs(Math.round(offset / 60_000));
  const pad = (n: number): string => String(n).padStart(2, '0');
  return `${new Date(ms + offset).toISOString().slice(0, 19)}${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}
