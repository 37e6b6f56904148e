/** Ranges of sizes and costs: unsigned 64 bits that stay at the top where they would overflow. */

export interface Range {
  readonly min: bigint;
  readonly max: bigint;
}
export const maxUint64 = 2n ** 64n - 1n;
const cap = (n: bigint): bigint => (n > maxUint64 ? maxUint64 : n);

export const fixed = (n: bigint | number): Range => ({ min: BigInt(n), max: BigInt(n) });
export const unknownSize: Range = { min: 0n, max: maxUint64 };
export const add = (a: Range, b: Range): Range => ({ min: cap(a.min + b.min), max: cap(a.max + b.max) });
export const multiply = (a: Range, b: Range): Range => ({ min: cap(a.min * b.min), max: cap(a.max * b.max) });
export const union = (a: Range, b: Range): Range => ({ min: a.min < b.min ? a.min : b.min, max: a.max > b.max ? a.max : b.max });
export const sum = (ranges: readonly Range[]): Range => ranges.reduce(add, fixed(0));

/** As upstream counts: in doubles, rounded up. */
function scaleOne(n: bigint, factor: number): bigint {
  const product = Math.ceil(Number(n) * factor);
  return product >= 2 ** 64 ? maxUint64 : BigInt(product);
}
export const scale = (a: Range, factor: number): Range => ({ min: scaleOne(a.min, factor), max: scaleOne(a.max, factor) });
