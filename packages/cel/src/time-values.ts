import { Timestamp } from './values.ts';

/** A Go duration is 64 bits of nanoseconds. */
export const inDurationRange = (n: bigint): boolean => BigInt.asIntN(64, n) === n;

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?([Zz]|[+-]\d{2}:\d{2})$/;

/** RFC 3339; undefined: the text is none. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const m = rfc3339.exec(text);
  if (m === null) return undefined;
  const [year, month, day, hour, minute, second] = m.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const date = new Date(Date.UTC(2000, 0, 1, hour, minute, second));
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) return undefined;
  const zone = m[8]!;
  const offset = zone.length === 1 ? 0 : (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))) * (zone.startsWith('-') ? -1 : 1);
  const fraction = BigInt((m[7] ?? '').slice(0, 9).padEnd(9, '0'));
  return new Timestamp(BigInt(date.getTime() - offset * 60_000) * 1_000_000n + fraction, offset);
}

const pad = (n: number): string => String(n).padStart(2, '0');
/** RFC 3339 with as many decimals as needed. */
export function formatTimestamp({ nanoseconds, offsetMinutes }: Timestamp): string {
  const fraction = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = Number((nanoseconds - fraction) / 1_000_000_000n);
  const iso = new Date((seconds + offsetMinutes * 60) * 1000).toISOString();
  const head = iso.startsWith('+') || iso.startsWith('-') ? iso.slice(3, 22) : iso.slice(0, 19);
  const decimals = String(fraction).padStart(9, '0').replace(/0+$/, '');
  const size = Math.abs(offsetMinutes);
  const zone = offsetMinutes === 0 ? 'Z' : `${offsetMinutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
  return `${head}${decimals === '' ? '' : `.${decimals}`}${zone}`;
}

/** Go's shortest form: with an exponent (of two digits at least) below -4 and from 6 on. */
export function formatDouble(n: number): string {
  if (Number.isNaN(n)) return 'NaN';
  if (!Number.isFinite(n)) return n > 0 ? '+Inf' : '-Inf';
  if (Object.is(n, -0)) return '-0';
  const size = Math.abs(n);
  if (n === 0 || (size >= 1e-4 && size < 1e6)) return String(n);
  const [mantissa, exponent] = n.toExponential().split('e') as [string, string];
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}
