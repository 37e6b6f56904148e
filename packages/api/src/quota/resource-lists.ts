import {
  compareQuantities,
  type DeepReadonly,
  formatQuantity,
  isZeroQuantity,
  quantitySign,
  subtractQuantities,
} from '@skiff/apimachinery';
import type { ResourceList } from '../core/v1/resource-list.ts';

type Readable = DeepReadonly<ResourceList>;

/** a - b by name; what would be negative is 0, and so is what only `b` has. */
export function subtractToZero(a: Readable, b: Readable): ResourceList {
  const result: ResourceList = {};
  for (const [name, quantity] of Object.entries(a)) {
    const other = b[name];
    const left = other === undefined ? quantity : formatQuantity(subtractQuantities(quantity, other));
    result[name] = quantitySign(left) > 0 ? left : '0';
  }
  for (const name of Object.keys(b)) result[name] ??= '0';
  return result;
}

/** Only these names. */
export function maskResources(list: Readable, names: readonly string[]): ResourceList {
  const result: ResourceList = {};
  for (const name of names) {
    const quantity = list[name];
    if (quantity !== undefined) result[name] = quantity;
  }
  return result;
}

/** The names whose quantity in `list` is above that in `limits`. */
export const exceededResources = (list: Readable, limits: Readable): readonly string[] =>
  Object.keys(limits).filter((name) => {
    const quantity = list[name];
    return quantity !== undefined && compareQuantities(quantity, limits[name] as string) > 0;
  });

export const withoutZeros = (list: Readable): ResourceList =>
  Object.fromEntries(Object.entries(list).filter(([, q]) => !isZeroQuantity(q)));

export const negativeResources = (list: Readable): readonly string[] =>
  Object.keys(list).filter((name) => quantitySign(list[name] as string) < 0);

/** The same names with equal values, however they are written. */
export function equalResources(a: Readable | undefined, b: Readable | undefined): boolean {
  const names = Object.keys(a ?? {});
  if (names.length !== Object.keys(b ?? {}).length) return false;
  return names.every((name) => {
    const [x, y] = [a?.[name], b?.[name]];
    return x !== undefined && y !== undefined && compareQuantities(x, y) === 0;
  });
}

/** `cpu=1,pods=2`: how messages show a list. */
export const resourcesText = (list: Readable): string =>
  Object.keys(list)
    .sort()
    .map((name) => `${name}=${list[name]}`)
    .join(',');
