import { lookupTable } from './lookup-table.ts';
/**
 * resource.Quantity: exact decimals with a remembered notation. A parsed quantity is plain data; functions take strings (as objects
 * carry them) or parsed quantities alike.
 */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

/** value = unscaled × 10^scale. */
export interface ParsedQuantity {
  readonly unscaled: bigint;
  readonly scale: number;
  readonly format: QuantityFormat;
}
export type QuantityLike = string | ParsedQuantity;

export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}
const wrongFormat = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const wrongSuffix = "unable to parse quantity's suffix";

const decimalExponents = lookupTable<number>({ n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 });
const decimalSuffixes = new Map(Object.entries(decimalExponents).map(([suffix, exponent]) => [exponent, suffix]));
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const largestBinary = 2n ** 63n - 1n;
const nano = -9;
/** Not upstream's limits: they only keep absurd input from costing seconds. */
const maxLength = 512;
const maxExponent = 512;

const pow10 = (n: number): bigint => 10n ** BigInt(n);
const abs = (n: bigint): bigint => (n < 0n ? -n : n);

/** Division that rounds away from zero. */
function divideUp(a: bigint, b: bigint): bigint {
  const q = a / b;
  return q * b === a ? q : a < 0n ? q - 1n : q + 1n;
}

interface Parsed {
  readonly quantity: ParsedQuantity;
  readonly canonical: string;
}

function interpretSuffix(suffix: string): { exponent: number; format: QuantityFormat } {
  const decimal = decimalExponents[suffix];
  if (decimal !== undefined) return { exponent: decimal, format: 'DecimalSI' };
  const binary = binarySuffixes.indexOf(suffix);
  if (binary > 0) return { exponent: binary * 10, format: 'BinarySI' };
  if (!/^[eE][-+]?\d+$/.test(suffix) || Math.abs(Number(suffix.slice(1))) > maxExponent) throw new QuantityError(wrongSuffix);
  return { exponent: Number(suffix.slice(1)), format: 'DecimalExponent' };
}

/** Upstream keeps the client's spelling where a cheap test calls it canonical; that test decides what is stored. */
function keepsSpelling(digits: string, decimals: string, exponent: number, format: QuantityFormat): boolean {
  if (format === 'BinarySI') {
    const precision = 15 - digits.length - Math.trunc((exponent * 3) / 10) - 1;
    return decimals === '' && precision >= 0 && (Number(digits) & 7) !== 0;
  }
  const scale = exponent - decimals.length;
  const shifted = digits + decimals;
  return shifted.length <= 18 && scale >= nano && scale % 3 === 0 && !shifted.endsWith('000') && !shifted.startsWith('0');
}

function parseUncached(text: string): Parsed {
  const m = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/.exec(text);
  if (m === null || text === '' || text.length > maxLength) throw new QuantityError(wrongFormat);
  const digits = m[2]!.replace(/^0+/, '') || '0';
  const decimals = m[3] ?? '';
  const { exponent, format } = interpretSuffix(m[4]!);
  let unscaled = BigInt(digits + decimals);
  let scale = -decimals.length;
  if (format === 'BinarySI') unscaled *= 2n ** BigInt(exponent);
  else scale += exponent;
  if (scale < nano) {
    unscaled = divideUp(unscaled, pow10(nano - scale));
    scale = nano;
  }
  let kept = format;
  if (format === 'BinarySI') {
    const unit = scale < 0 ? pow10(-scale) : 1n;
    if (unscaled > largestBinary * unit) {
      unscaled = largestBinary;
      scale = 0;
    } else if (unscaled > 0n && unscaled < unit) kept = 'DecimalSI';
  }
  const quantity = { unscaled: m[1] === '-' ? -unscaled : unscaled, scale, format: kept };
  return { quantity, canonical: keepsSpelling(digits, decimals, exponent, format) ? text : formatQuantity(quantity) };
}

const cache = new Map<string, Parsed>();
const cacheSize = 4096;

function parseCached(text: string): Parsed {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const parsed = parseUncached(text);
  if (cache.size >= cacheSize) cache.clear();
  cache.set(text, parsed);
  return parsed;
}

/** Throws QuantityError with upstream's text. */
export const parseQuantity = (text: string): ParsedQuantity => parseCached(text).quantity;
const toParsed = (q: QuantityLike): ParsedQuantity => (typeof q === 'string' ? parseQuantity(q) : q);

/** The spelling that upstream stores and serves for what the client wrote: `0.5` → `500m`, `1024Mi` → `1Gi`. */
export const canonicalQuantity = (text: string): string => parseCached(text).canonical;

function formatDecimal(unscaled: bigint, scale: number, format: QuantityFormat): string {
  let amount = unscaled;
  let exponent = scale;
  while (amount % 10n === 0n) {
    amount /= 10n;
    exponent++;
  }
  while (exponent % 3 !== 0) {
    amount *= 10n;
    exponent--;
  }
  if (format === 'DecimalExponent') return exponent === 0 ? String(amount) : `${amount}e${exponent}`;
  // Beyond the suffixes upstream prints the bare number as well.
  return `${amount}${decimalSuffixes.get(exponent) ?? ''}`;
}

/** Canonical form: the largest suffix that leaves a whole number. */
export function formatQuantity(q: ParsedQuantity): string {
  if (q.unscaled === 0n) return '0';
  if (q.format === 'BinarySI') {
    const unit = q.scale < 0 ? pow10(-q.scale) : 1n;
    const whole = q.scale > 0 ? q.unscaled * pow10(q.scale) : q.unscaled % unit === 0n ? q.unscaled / unit : undefined;
    if (whole !== undefined && abs(whole) >= 1024n) {
      let amount = whole;
      let steps = 0;
      while (amount % 1024n === 0n && steps < binarySuffixes.length - 1) {
        amount /= 1024n;
        steps++;
      }
      return `${amount}${binarySuffixes[steps]}`;
    }
  }
  return formatDecimal(q.unscaled, q.scale, q.format === 'BinarySI' ? 'DecimalSI' : q.format);
}

function aligned(a: ParsedQuantity, b: ParsedQuantity): { a: bigint; b: bigint; scale: number } {
  const scale = Math.min(a.scale, b.scale);
  return { a: a.unscaled * pow10(a.scale - scale), b: b.unscaled * pow10(b.scale - scale), scale };
}

/** Negative, 0 or positive, like a sort function. */
export function compareQuantities(a: QuantityLike, b: QuantityLike): number {
  if (a === b) return 0;
  const x = aligned(toParsed(a), toParsed(b));
  return x.a < x.b ? -1 : x.a > x.b ? 1 : 0;
}

/** The result has the notation of `a`, or of `b` where `a` is zero. */
export function addQuantities(a: QuantityLike, b: QuantityLike): ParsedQuantity {
  const [p, q] = [toParsed(a), toParsed(b)];
  const x = aligned(p, q);
  return { unscaled: x.a + x.b, scale: x.scale, format: p.unscaled === 0n ? q.format : p.format };
}
export function subtractQuantities(a: QuantityLike, b: QuantityLike): ParsedQuantity {
  const q = toParsed(b);
  return addQuantities(a, { ...q, unscaled: -q.unscaled });
}
export function multiplyQuantity(q: QuantityLike, factor: number | bigint): ParsedQuantity {
  const p = toParsed(q);
  return { ...p, unscaled: p.unscaled * BigInt(factor) };
}

export const isZeroQuantity = (q: QuantityLike): boolean => toParsed(q).unscaled === 0n;
export function quantitySign(q: QuantityLike): -1 | 0 | 1 {
  const { unscaled } = toParsed(q);
  return unscaled < 0n ? -1 : unscaled > 0n ? 1 : 0;
}

/** In units of 10^scale, rounded away from zero. */
export function scaledQuantity(q: QuantityLike, scale: number): bigint {
  const p = toParsed(q);
  return p.scale >= scale ? p.unscaled * pow10(p.scale - scale) : divideUp(p.unscaled, pow10(scale - p.scale));
}
/** Whole units (bytes, pods), rounded up. Exact up to 2^53. */
export const quantityValue = (q: QuantityLike): number => Number(scaledQuantity(q, 0));
/** Thousandths (millicores), rounded up. Exact up to 2^53. */
export const quantityMilliValue = (q: QuantityLike): number => Number(scaledQuantity(q, -3));
/** As a double: for metrics and ratios only. */
export function quantityToNumber(q: QuantityLike): number {
  const p = toParsed(q);
  return p.scale >= 0 ? Number(p.unscaled) * 10 ** p.scale : Number(p.unscaled) / 10 ** -p.scale;
}
export const newQuantity = (value: number | bigint, format: QuantityFormat): string =>
  formatQuantity({ unscaled: BigInt(value), scale: 0, format });
export const newMilliQuantity = (milli: number | bigint, format: QuantityFormat): string =>
  formatQuantity({ unscaled: BigInt(milli), scale: -3, format });
