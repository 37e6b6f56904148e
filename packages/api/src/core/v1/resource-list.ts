import { type Quantity, quantitySign, scaledQuantity } from '@skiff/apimachinery';

export type ResourceList = Record<string, Quantity>;

/** The value in billionths, exact; 0 for an absent quantity. */
export const quantityNanos = (quantity: Quantity | undefined): bigint => (quantity === undefined ? 0n : scaledQuantity(quantity, -9));

export const isPositiveQuantity = (quantity: Quantity | undefined): boolean => quantity !== undefined && quantitySign(quantity) > 0;

/** No fraction left: what resources counted in pieces must be. */
export const isWholeQuantity = (quantity: Quantity): boolean => quantityNanos(quantity) % 10n ** 9n === 0n;
