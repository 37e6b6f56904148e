import type { Quantity } from '@skiff/apimachinery';

const multipliers: Readonly<Record<string, bigint>> = {
  n: 1n,
  u: 10n ** 3n,
  m: 10n ** 6n,
  '': 10n ** 9n,
  k: 10n ** 12n,
  M: 10n ** 15n,
  G: 10n ** 18n,
  T: 10n ** 21n,
  P: 10n ** 24n,
  E: 10n ** 27n,
  Ki: 2n ** 10n * 10n ** 9n,
  Mi: 2n ** 20n * 10n ** 9n,
  Gi: 2n ** 30n * 10n ** 9n,
  Ti: 2n ** 40n * 10n ** 9n,
  Pi: 2n ** 50n * 10n ** 9n,
  Ei: 2n ** 60n * 10n ** 9n,
};

/** The value of a quantity in billionths, exact; 0 for an absent one. Decoding has refused what does not parse. */
export function quantityNanos(quantity: Quantity | undefined): bigint {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?([eE]([+-]?\d+)|[a-zA-Z]*)$/.exec(quantity ?? '0');
  if (match === null) return 0n;
  const [, sign, whole = '', fraction = '', suffix = '', exponent] = match;
  const digits = BigInt(whole + fraction || '0') * (sign === '-' ? -1n : 1n);
  const scale = exponent === undefined ? (multipliers[suffix] ?? 10n ** 9n) : 10n ** BigInt(Math.max(0, 9 + Number(exponent)));
  const divisor = 10n ** BigInt(fraction.length);
  const value = digits * scale;
  // Finer than a billionth rounds away from zero, as upstream's.
  const quotient = value / divisor;
  return value % divisor === 0n ? quotient : quotient + (value < 0n ? -1n : 1n);
}

export const compareQuantities = (a: Quantity | undefined, b: Quantity | undefined): number => {
  const difference = quantityNanos(a) - quantityNanos(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
};

/** No fraction left: what resources counted in pieces must be. */
export const isWholeQuantity = (quantity: Quantity): boolean => quantityNanos(quantity) % 10n ** 9n === 0n;

export type ResourceList = Record<string, Quantity>;
