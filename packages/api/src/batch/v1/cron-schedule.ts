/** Cron expressions as CronJobs take them: five fields, or a name such as `@daily`, with a time zone in front in old objects. */

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const fields: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
];
const descriptors = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);

class ScheduleError extends Error {}

function parseNumber(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) {
    throw new ScheduleError(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const value = Number(text);
  if (value < 0) throw new ScheduleError(`negative number (${value}) not allowed: ${text}`);
  return value;
}

function parseNumberOrName(text: string, { names, min }: Bounds): number {
  const index = names?.indexOf(text.toLowerCase()) ?? -1;
  return index >= 0 ? index + min : parseNumber(text);
}

/** Throws for anything but `*`, `?`, `n`, `n-m`, each with `/step` or without. */
function checkRange(text: string, bounds: Bounds): void {
  const [range = '', step, ...moreSteps] = text.split('/');
  const [low = '', high, ...moreParts] = range.split('-');
  const all = low === '*' || low === '?';
  const start = all ? bounds.min : parseNumberOrName(low, bounds);
  if (!all && moreParts.length > 0) throw new ScheduleError(`too many hyphens: ${text}`);
  let end = all ? bounds.max : high === undefined ? start : parseNumberOrName(high, bounds);
  if (moreSteps.length > 0) throw new ScheduleError(`too many slashes: ${text}`);
  const stepSize = step === undefined ? 1 : parseNumber(step);
  if (step !== undefined && high === undefined) end = bounds.max;
  if (start < bounds.min) throw new ScheduleError(`beginning of range (${start}) below minimum (${bounds.min}): ${text}`);
  if (end > bounds.max) throw new ScheduleError(`end of range (${end}) above maximum (${bounds.max}): ${text}`);
  if (start > end) throw new ScheduleError(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (stepSize === 0) throw new ScheduleError(`step of range should be a positive number: ${text}`);
}

function checkDescriptor(text: string): void {
  if (descriptors.has(text)) return;
  if (!text.startsWith('@every ')) throw new ScheduleError(`unrecognized descriptor: ${text}`);
  const duration = text.slice('@every '.length);
  if (/^[+-]?((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+$|^[+-]?0$/.test(duration)) return;
  throw new ScheduleError(`failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`);
}

function check(text: string): void {
  let schedule = text;
  if (/^(CRON_)?TZ=/.test(schedule)) {
    const blank = schedule.indexOf(' ');
    const zone = schedule.slice(schedule.indexOf('=') + 1, blank < 0 ? undefined : blank);
    if (!isTimeZone(zone)) throw new ScheduleError(`provided bad location ${zone}: unknown time zone ${zone}`);
    schedule = blank < 0 ? '' : schedule.slice(blank).trim();
  }
  if (schedule.startsWith('@')) return checkDescriptor(schedule);
  const parts = schedule.split(/\s+/).filter((part) => part !== '');
  if (parts.length !== fields.length) {
    throw new ScheduleError(`expected exactly ${fields.length} fields, found ${parts.length}: [${parts.join(' ')}]`);
  }
  for (const [i, bounds] of fields.entries()) {
    for (const range of (parts[i] ?? '').split(',')) if (range !== '') checkRange(range, bounds);
  }
}

/** What is wrong with the schedule, in upstream's words; undefined when it is good. */
export function scheduleComplaint(schedule: string): string | undefined {
  try {
    check(schedule);
    return undefined;
  } catch (e) {
    if (e instanceof ScheduleError) return e.message;
    throw e;
  }
}

/** Known to the system's time zone data. */
export function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
