import { CelError, Timestamp, type Value } from './values.ts';

/** A Go duration is 64 bits of nanoseconds. */
export const inDurationRange = (n: bigint): boolean => BigInt.asIntN(64, n) === n;

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?([Zz]|[+-]\d{2}:\d{2})$/;

/** RFC 3339; an error has Go's words. */
export function parseTimestamp(text: string): Value {
  const m = rfc3339.exec(text);
  const bad = new CelError(
    `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(text)} as "2006"`,
  );
  if (m === null) return bad;
  const [year, month, day, hour, minute, second] = m.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const ms = Date.UTC(2000, month - 1, day, hour, minute, second);
  const date = new Date(ms);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59 || month > 12) {
    return new CelError(`parsing time ${JSON.stringify(text)}: day out of range`);
  }
  const zone = m[8]!;
  const offset = zone.length === 1 ? 0 : (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))) * (zone.startsWith('-') ? -1 : 1);
  const fraction = BigInt((m[7] ?? '').slice(0, 9).padEnd(9, '0') || '0');
  return new Timestamp(BigInt(date.getTime() - offset * 60_000) * 1_000_000n + fraction);
}

/** RFC 3339 in UTC with as many decimals as needed. */
export function formatTimestamp(nanoseconds: bigint): string {
  const ms = nanoseconds / 1_000_000n - (nanoseconds % 1_000_000n < 0n ? 1n : 0n);
  const date = new Date(Number(ms));
  const fraction = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const decimals = String(fraction).padStart(9, '0').replace(/0+$/, '');
  const iso = date.toISOString();
  const head = iso.startsWith('+') || iso.startsWith('-') ? iso.slice(3, 22) : iso.slice(0, 19);
  return `${head}${decimals === '' ? '' : `.${decimals}`}Z`;
}

/** Go's shortest form: exponents below -4 and from 21 on have two digits at least. */
export function formatDouble(n: number): string {
  if (Number.isNaN(n)) return 'NaN';
  if (!Number.isFinite(n)) return n > 0 ? '+Inf' : '-Inf';
  if (Object.is(n, -0)) return '-0';
  const size = Math.abs(n);
  if (n === 0 || (size >= 1e-4 && size < 1e21)) return size >= 1e-6 ? String(n) : n.toFixed(20).replace(/0+$/, '');
  const [mantissa, exponent] = n.toExponential().split('e') as [string, string];
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}
