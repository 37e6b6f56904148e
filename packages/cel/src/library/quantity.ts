import {
  addQuantities,
  compareQuantities,
  type ParsedQuantity,
  parseQuantity,
  QuantityError,
  quantitySign,
  quantityToNumber,
  subtractQuantities,
} from '@skiff/apimachinery';
import { declare, type Run } from '../declare.ts';
import type { FunctionDeclaration } from '../environment.ts';
import { boolType, doubleType, intType, objectType, stringType } from '../types.ts';
import { CelError, Opaque } from '../values.ts';

export const quantityType = objectType('kubernetes.Quantity');

export class QuantityValue extends Opaque {
  readonly type = quantityType;
  readonly quantity: ParsedQuantity;
  constructor(quantity: ParsedQuantity) {
    super();
    this.quantity = quantity;
  }
  equals(other: Opaque): boolean {
    return other instanceof QuantityValue && compareQuantities(this.quantity, other.quantity) === 0;
  }
}

function parse(text: string): QuantityValue | CelError {
  try {
    return new QuantityValue(parseQuantity(text));
  } catch (e) {
    if (!(e instanceof QuantityError)) throw e;
    return new CelError(e.message);
  }
}
const of = (v: unknown): ParsedQuantity => (v as QuantityValue).quantity;
const fromInt = (n: bigint): ParsedQuantity => ({ unscaled: n, scale: 0, format: 'DecimalExponent' });

/** A whole number of 64 bits, where the quantity is one. */
function asInteger(q: ParsedQuantity): bigint | undefined {
  const unit = 10n ** BigInt(Math.abs(q.scale));
  if (q.scale < 0 && q.unscaled % unit !== 0n) return undefined;
  const n = q.scale < 0 ? q.unscaled / unit : q.unscaled * unit;
  return BigInt.asIntN(64, n) === n ? n : undefined;
}

const pair = [quantityType, quantityType];
const order =
  (holds: (o: number) => boolean): Run =>
  ([a, b]) =>
    holds(compareQuantities(of(a), of(b)));

export const quantityFunctions: readonly FunctionDeclaration[] = [
  declare('quantity', ['string_to_quantity', [stringType], quantityType, ([s]) => parse(s as string)]),
  declare('isQuantity', ['is_quantity_string', [stringType], boolType, ([s]) => !(parse(s as string) instanceof CelError)]),
  declare('sign', ['quantity_sign', [quantityType], intType, ([q]) => BigInt(quantitySign(of(q)))]),
  declare('isGreaterThan', ['.quantity_is_greater_than', pair, boolType, order((o) => o > 0)]),
  declare('isLessThan', ['.quantity_is_less_than', pair, boolType, order((o) => o < 0)]),
  declare('compareTo', ['.quantity_compare_to', pair, intType, ([a, b]) => BigInt(compareQuantities(of(a), of(b)))]),
  declare('asApproximateFloat', ['.quantity_get_float', [quantityType], doubleType, ([q]) => quantityToNumber(of(q))]),
  declare('asInteger', [
    '.quantity_get_int',
    [quantityType],
    intType,
    ([q]) => asInteger(of(q)) ?? new CelError('cannot convert value to integer'),
  ]),
  declare('isInteger', ['.quantity_is_integer', [quantityType], boolType, ([q]) => asInteger(of(q)) !== undefined]),
  declare(
    'add',
    ['.quantity_add', pair, quantityType, ([a, b]) => new QuantityValue(addQuantities(of(a), of(b)))],
    ['.quantity_add_int', [quantityType, intType], quantityType, ([a, n]) => new QuantityValue(addQuantities(of(a), fromInt(n as bigint)))],
  ),
  declare(
    'sub',
    ['.quantity_sub', pair, quantityType, ([a, b]) => new QuantityValue(subtractQuantities(of(a), of(b)))],
    [
      '.quantity_sub_int',
      [quantityType, intType],
      quantityType,
      ([a, n]) => new QuantityValue(subtractQuantities(of(a), fromInt(n as bigint))),
    ],
  ),
];
