import {
  addQuantities,
  compareQuantities,
  type DeepReadonly,
  formatQuantity,
  parseQuantity,
  type Quantity,
  scaledQuantity,
} from '@skiff/apimachinery';

export type ResourceList = Record<string, Quantity>;
type Readable = DeepReadonly<ResourceList> | undefined;

/** The value in billionths, exact; 0 for an absent quantity. */
export const quantityNanos = (quantity: Quantity | undefined): bigint => (quantity === undefined ? 0n : scaledQuantity(quantity, -9));

/** No fraction left: what resources counted in pieces must be. */
export const isWholeQuantity = (quantity: Quantity): boolean => quantityNanos(quantity) % 10n ** 9n === 0n;

/** The sum by name; a name in either list is in the result. */
export function addResources(a: Readable, b: Readable): ResourceList {
  const sum: ResourceList = { ...a };
  for (const [name, quantity] of Object.entries(b ?? {})) {
    const before = sum[name];
    sum[name] = before === undefined ? quantity : formatQuantity(addQuantities(before, quantity));
  }
  return sum;
}

/** The larger by name. */
export function maxResources(a: Readable, b: Readable): ResourceList {
  const max: ResourceList = { ...a };
  for (const [name, quantity] of Object.entries(b ?? {})) {
    const before = max[name];
    if (before === undefined || compareQuantities(quantity, before) > 0) max[name] = quantity;
  }
  return max;
}

/** Upstream keeps resources in thousandths; what is finer is rounded up, in place. */
export function roundResources(list: ResourceList | undefined): void {
  for (const [name, quantity] of Object.entries(list ?? {})) {
    const { format } = parseQuantity(quantity);
    const milli = scaledQuantity(quantity, -3);
    const rounded = { unscaled: milli, scale: -3, format };
    if (list && compareQuantities(quantity, rounded) !== 0) list[name] = formatQuantity(rounded);
  }
}
