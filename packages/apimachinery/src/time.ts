/** Times of the API: RFC 3339 strings, `metav1.Time` in whole seconds of UTC, `metav1.MicroTime` with six decimals. */
export class TimeError extends Error {
  override readonly name = 'TimeError';
}

type Element = { readonly text: string; readonly range?: string; take(value: string, at: Parts): number };
interface Parts {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  micros: number;
  offsetMinutes: number;
}

const fixed = (text: string, digits: number, assign: (p: Parts, n: number) => boolean, range: string): Element => ({
  text,
  range,
  take: (value, parts) => {
    const found = value.slice(0, digits);
    if (found.length < digits || !/^\d+$/.test(found)) return -1;
    return assign(parts, Number(found)) ? digits : -2;
  },
});
const literal = (text: string): Element => ({ text, take: (value) => (value.startsWith(text) ? text.length : -1) });
const within = (n: number, low: number, high: number): boolean => n >= low && n <= high;

const zone: Element = {
  text: 'Z07:00',
  range: 'time zone offset hour',
  take(value, parts) {
    if (value.startsWith('Z')) return 1;
    const m = /^([+-])(\d\d):(\d\d)/.exec(value);
    if (m === null) return -1;
    if (Number(m[2]) > 24 || Number(m[3]) > 60) return -2;
    parts.offsetMinutes = (m[1] === '-' ? -1 : 1) * (Number(m[2]) * 60 + Number(m[3]));
    return 6;
  },
};
const anyFraction: Element = {
  text: '',
  take(value, parts) {
    const m = /^[.,](\d+)/.exec(value);
    if (m === null) return 0;
    parts.micros = Number(m[1]!.slice(0, 6).padEnd(6, '0'));
    return m[0].length;
  },
};
const sixDigits: Element = {
  text: '.000000',
  take(value, parts) {
    const m = /^[.,](\d{6})/.exec(value);
    if (m === null) return -1;
    parts.micros = Number(m[1]);
    return 7;
  },
};

const dateAndTime: readonly Element[] = [
  fixed('2006', 4, (p, n) => ((p.year = n), true), ''),
  literal('-'),
  fixed('01', 2, (p, n) => ((p.month = n), within(n, 1, 12)), 'month'),
  literal('-'),
  fixed('02', 2, (p, n) => ((p.day = n), true), 'day'),
  literal('T'),
  fixed('15', 2, (p, n) => ((p.hour = n), within(n, 0, 23)), 'hour'),
  literal(':'),
  fixed('04', 2, (p, n) => ((p.minute = n), within(n, 0, 59)), 'minute'),
  literal(':'),
  fixed('05', 2, (p, n) => ((p.second = n), within(n, 0, 59)), 'second'),
];
const layouts = {
  time: { text: '2006-01-02T15:04:05Z07:00', elements: [...dateAndTime, anyFraction, zone] },
  microTime: { text: '2006-01-02T15:04:05.000000Z07:00', elements: [...dateAndTime, sixDigits, zone] },
} as const;

const daysIn = (year: number, month: number): number =>
  new Date(Date.UTC(year % 400 === 0 ? 2000 : 2000 + (year % 400), month, 0)).getUTCDate();

/** Throws TimeError with the text of Go's time.Parse. */
function parse(value: string, layout: keyof typeof layouts): Parts {
  const { text, elements } = layouts[layout];
  const parts: Parts = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0, micros: 0, offsetMinutes: 0 };
  const prefix = `parsing time ${JSON.stringify(value)}`;
  let rest = value;
  for (const element of elements) {
    const taken = element.take(rest, parts);
    if (taken === -2) throw new TimeError(`${prefix}: ${element.range} out of range`);
    if (taken === -1)
      throw new TimeError(`${prefix} as ${JSON.stringify(text)}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(element.text)}`);
    rest = rest.slice(taken);
  }
  if (rest !== '') throw new TimeError(`${prefix}: extra text: ${JSON.stringify(rest)}`);
  if (!within(parts.day, 1, daysIn(parts.year, parts.month))) throw new TimeError(`${prefix}: day out of range`);
  return parts;
}

function toMs(p: Parts): number {
  const date = new Date(0);
  date.setUTCFullYear(p.year, p.month - 1, p.day);
  date.setUTCHours(p.hour, p.minute - p.offsetMinutes, p.second, 0);
  return date.getTime();
}

const canonicalTimeForm = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;
const canonicalMicroTimeForm = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$/;

/** metav1.Time: RFC 3339 with any offset and fraction → whole seconds, UTC. */
export const canonicalTime = (value: string): string => (canonicalTimeForm.test(value) ? value : formatTime(toMs(parse(value, 'time'))));

/** metav1.MicroTime: exactly six decimals are accepted. */
export function canonicalMicroTime(value: string): string {
  if (canonicalMicroTimeForm.test(value)) return value;
  const parts = parse(value, 'microTime');
  return formatMicros(toMs(parts), parts.micros);
}

const formatMicros = (ms: number, micros: number): string => `${formatTime(ms).slice(0, -1)}.${String(micros).padStart(6, '0')}Z`;

/** Milliseconds since the epoch of a Time or MicroTime. Throws TimeError. */
export function parseTime(value: string): number {
  const parts = parse(value, 'time');
  return toMs(parts) + Math.floor(parts.micros / 1000);
}

/** metav1.Time of a clock's milliseconds: whole seconds, UTC. */
export const formatTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
/** metav1.MicroTime of a clock's milliseconds. */
export const formatMicroTime = (ms: number): string => formatMicros(ms, (Math.floor(ms) - Math.floor(ms / 1000) * 1000) * 1000);
