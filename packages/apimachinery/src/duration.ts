import { lookupTable } from './lookup-table.ts';
/** Go durations (`1h30m`, `250ms`), as metav1.Duration carries them. */
export class DurationError extends Error {
  override readonly name = 'DurationError';
}

const units = lookupTable<bigint>({
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
});
const maxDuration = 2n ** 63n;

/** Nanoseconds. Throws DurationError with the text of Go's time.ParseDuration. */
export function parseDuration(text: string): bigint {
  const quoted = JSON.stringify(text);
  const m = /^([-+]?)(.*)$/s.exec(text)!;
  let rest = m[2]!;
  if (rest === '0') return 0n;
  if (rest === '') throw new DurationError(`time: invalid duration ${quoted}`);
  let total = 0n;
  while (rest !== '') {
    const part = /^(\d*)(?:\.(\d*))?([^.\d]*)/.exec(rest)!;
    const [all, digits = '', decimals = '', unitName = ''] = part;
    if (digits === '' && decimals === '') throw new DurationError(`time: invalid duration ${quoted}`);
    if (unitName === '') throw new DurationError(`time: missing unit in duration ${quoted}`);
    const unit = units[unitName];
    if (unit === undefined) throw new DurationError(`time: unknown unit ${JSON.stringify(unitName)} in duration ${quoted}`);
    total +=
      BigInt(digits === '' ? '0' : digits) * unit + (decimals === '' ? 0n : (BigInt(decimals) * unit) / 10n ** BigInt(decimals.length));
    if (total > maxDuration) throw new DurationError(`time: invalid duration ${quoted}`);
    rest = rest.slice(all.length);
  }
  return m[1] === '-' ? -total : total;
}

const trimmed = (whole: bigint, fraction: bigint, digits: number): string => {
  const decimals = String(fraction).padStart(digits, '0').replace(/0+$/, '');
  return decimals === '' ? String(whole) : `${whole}.${decimals}`;
};

/** As Go's Duration.String(): `1m30s`, `1.5s`, `0s`. */
export function formatDuration(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  const sign = nanoseconds < 0n ? '-' : '';
  const n = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (n < 1_000n) return `${sign}${n}ns`;
  if (n < 1_000_000n) return `${sign}${trimmed(n / 1_000n, n % 1_000n, 3)}µs`;
  if (n < 1_000_000_000n) return `${sign}${trimmed(n / 1_000_000n, n % 1_000_000n, 6)}ms`;
  const seconds = n / 1_000_000_000n;
  const hours = seconds / 3600n;
  const minutes = (seconds / 60n) % 60n;
  const tail = `${trimmed(seconds % 60n, n % 1_000_000_000n, 9)}s`;
  return `${sign}${hours > 0n ? `${hours}h${minutes}m` : minutes > 0n ? `${minutes}m` : ''}${tail}`;
}

export const parseDurationMs = (text: string): number => Number(parseDuration(text)) / 1e6;
