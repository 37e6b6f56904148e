/** The functions and operators of the language itself. */

import { DurationError, parseDuration } from '@skiff/apimachinery';
import { declare, type Run } from './declare.ts';
import { type FunctionDeclaration, mergeFunctions } from './environment.ts';
import { compare, listContains } from './equality.ts';
import { compileRegex } from './regex.ts';
import { timeFunctions } from './time-functions.ts';
import { formatDouble, formatTimestamp, inDurationRange, parseTimestamp } from './time-values.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  timestampType,
  typeOf,
  typeParameter,
  uintType,
} from './types.ts';
import { CelError, CelList, CelMap, codePoints, Duration, noSuchOverload, Timestamp, TypeValue, Uint, type Value } from './values.ts';
import { typeOfValue } from './type-of-value.ts';

const A = typeParameter('A');
const B = typeParameter('B');
const listA = listOf(A);
const mapAB = mapOf(A, B);
const refuse: Run = () => noSuchOverload;

const overflow = new CelError('integer overflow');
const unsignedOverflow = new CelError('unsigned integer overflow');
const signed = (n: bigint): Value => (BigInt.asIntN(64, n) === n ? n : overflow);
const unsigned = (n: bigint): Value => (n >= 0n && BigInt.asUintN(64, n) === n ? new Uint(n) : unsignedOverflow);
const u = (v: Value | undefined): bigint => (v as Uint).value;
const time = (n: bigint, zone?: Value): Value =>
  n >= minTime && n <= maxTime ? new Timestamp(n, zone instanceof Timestamp ? zone.offsetMinutes : 0) : new CelError('timestamp overflow');
const duration = (n: bigint): Value => (inDurationRange(n) ? new Duration(n) : new CelError('duration overflow'));
const minTime = -62_135_596_800n * 1_000_000_000n;
const maxTime = 253_402_300_799n * 1_000_000_000n + 999_999_999n;
const nanos = (v: Value | undefined): bigint => (v as Timestamp | Duration).nanoseconds;

type Arithmetic = (a: bigint, b: bigint) => bigint;
const onInts =
  (f: Arithmetic, zero?: CelError): Run =>
  ([a, b]) =>
    zero !== undefined && b === 0n ? zero : signed(f(a as bigint, b as bigint));
const onUints =
  (f: Arithmetic, zero?: CelError): Run =>
  ([a, b]) =>
    zero !== undefined && u(b) === 0n ? zero : unsigned(f(u(a), u(b)));
const onDoubles =
  (f: (a: number, b: number) => number): Run =>
  ([a, b]) =>
    f(a as number, b as number);
const byZero = new CelError('division by zero');
const modulusByZero = new CelError('modulus by zero');

const arithmetic: readonly FunctionDeclaration[] = [
  declare(
    '_+_',
    ['add_bytes', [bytesType, bytesType], bytesType, ([a, b]) => Buffer.concat([a as Uint8Array, b as Uint8Array])],
    ['add_double', [doubleType, doubleType], doubleType, onDoubles((a, b) => a + b)],
    ['add_duration_duration', [durationType, durationType], durationType, ([a, b]) => duration(nanos(a) + nanos(b))],
    ['add_duration_timestamp', [durationType, timestampType], timestampType, ([a, b]) => time(nanos(a) + nanos(b), b)],
    ['add_timestamp_duration', [timestampType, durationType], timestampType, ([a, b]) => time(nanos(a) + nanos(b), a)],
    ['add_int64', [intType, intType], intType, onInts((a, b) => a + b)],
    ['add_list', [listA, listA], listA, ([a, b]) => concatenate(a as CelList, b as CelList)],
    ['add_string', [stringType, stringType], stringType, ([a, b]) => (a as string) + (b as string)],
    ['add_uint64', [uintType, uintType], uintType, onUints((a, b) => a + b)],
  ),
  declare(
    '_-_',
    ['subtract_double', [doubleType, doubleType], doubleType, onDoubles((a, b) => a - b)],
    ['subtract_duration_duration', [durationType, durationType], durationType, ([a, b]) => duration(nanos(a) - nanos(b))],
    ['subtract_int64', [intType, intType], intType, onInts((a, b) => a - b)],
    ['subtract_timestamp_duration', [timestampType, durationType], timestampType, ([a, b]) => time(nanos(a) - nanos(b), a)],
    ['subtract_timestamp_timestamp', [timestampType, timestampType], durationType, ([a, b]) => duration(nanos(a) - nanos(b))],
    ['subtract_uint64', [uintType, uintType], uintType, onUints((a, b) => a - b)],
  ),
  declare(
    '_*_',
    ['multiply_double', [doubleType, doubleType], doubleType, onDoubles((a, b) => a * b)],
    ['multiply_int64', [intType, intType], intType, onInts((a, b) => a * b)],
    ['multiply_uint64', [uintType, uintType], uintType, onUints((a, b) => a * b)],
  ),
  declare(
    '_/_',
    ['divide_double', [doubleType, doubleType], doubleType, onDoubles((a, b) => a / b)],
    ['divide_int64', [intType, intType], intType, onInts((a, b) => a / b, byZero)],
    ['divide_uint64', [uintType, uintType], uintType, onUints((a, b) => a / b, byZero)],
  ),
  declare(
    '_%_',
    ['modulo_int64', [intType, intType], intType, onInts((a, b) => a % b, modulusByZero)],
    ['modulo_uint64', [uintType, uintType], uintType, onUints((a, b) => a % b, modulusByZero)],
  ),
  declare(
    '-_',
    ['negate_double', [doubleType], doubleType, ([a]) => -(a as number)],
    ['negate_int64', [intType], intType, ([a]) => signed(-(a as bigint))],
  ),
];

function concatenate(a: CelList, b: CelList): CelList {
  if (a.size === 0) return b;
  return b.size === 0 ? a : a.plus(b);
}

function ordering(name: string, id: string, holds: (order: number) => boolean): FunctionDeclaration {
  const run: Run = ([a, b]) => {
    const order = compare(a!, b!);
    return order === undefined ? noSuchOverload : holds(order);
  };
  const pairs: readonly (readonly [string, CelType, CelType])[] = [
    ['bool', boolType, boolType],
    ['int64', intType, intType],
    ['int64_double', intType, doubleType],
    ['int64_uint64', intType, uintType],
    ['uint64', uintType, uintType],
    ['uint64_double', uintType, doubleType],
    ['uint64_int64', uintType, intType],
    ['double', doubleType, doubleType],
    ['double_int64', doubleType, intType],
    ['double_uint64', doubleType, uintType],
    ['string', stringType, stringType],
    ['bytes', bytesType, bytesType],
    ['timestamp', timestampType, timestampType],
    ['duration', durationType, durationType],
  ];
  return declare(name, ...pairs.map(([suffix, a, b]) => [`${id}_${suffix}`, [a, b], boolType, run] as const));
}

const logic: readonly FunctionDeclaration[] = [
  declare('_?_:_', ['conditional', [boolType, A, A], A, refuse]),
  declare('_&&_', ['logical_and', [boolType, boolType], boolType, refuse]),
  declare('_||_', ['logical_or', [boolType, boolType], boolType, refuse]),
  declare('!_', ['logical_not', [boolType], boolType, ([a]) => !a]),
  declare('@not_strictly_false', ['not_strictly_false', [boolType], boolType, ([a]) => a !== false]),
  declare('_==_', ['equals', [A, A], boolType, refuse]),
  declare('_!=_', ['not_equals', [A, A], boolType, refuse]),
  ordering('_<_', 'less', (o) => o < 0),
  ordering('_<=_', 'less_equals', (o) => o <= 0),
  ordering('_>_', 'greater', (o) => o > 0),
  ordering('_>=_', 'greater_equals', (o) => o >= 0),
  declare('_[_]', ['index_list', [listA, intType], A, refuse], ['index_map', [mapAB, A], B, refuse]),
  declare(
    '@in',
    ['in_list', [A, listA], boolType, ([a, l], c) => listContains(l as CelList, a!, (n) => c.work(n))],
    ['in_map', [A, mapAB], boolType, ([a, m]) => (m as CelMap).find(a!) !== undefined],
  ),
  declare(
    'cel.@mapInsert',
    ['@mapInsert_map_key_value', [mapAB, A, B], mapAB, refuse],
    ['@mapInsert_map_map', [mapAB, mapAB], mapAB, refuse],
  ),
];

const size: Run = ([v]) => {
  if (typeof v === 'string') return BigInt(codePoints(v));
  return BigInt(v instanceof Uint8Array ? v.length : (v as CelList | CelMap).size);
};
const text =
  (f: (a: string, b: string) => boolean): Run =>
  ([a, b]) =>
    f(a as string, b as string);
const matches: Run = ([value, pattern]) => {
  const regex = compileRegex(pattern as string);
  return regex instanceof CelError ? regex : regex.matcher(value as string).find();
};

const strings: readonly FunctionDeclaration[] = [
  declare(
    'size',
    ['size_bytes', [bytesType], intType, size],
    ['.bytes_size', [bytesType], intType, size],
    ['size_list', [listA], intType, size],
    ['.list_size', [listA], intType, size],
    ['size_map', [mapAB], intType, size],
    ['.map_size', [mapAB], intType, size],
    ['size_string', [stringType], intType, size],
    ['.string_size', [stringType], intType, size],
  ),
  declare('contains', ['.contains_string', [stringType, stringType], boolType, text((a, b) => a.includes(b))]),
  declare('endsWith', ['.ends_with_string', [stringType, stringType], boolType, text((a, b) => a.endsWith(b))]),
  declare('startsWith', ['.starts_with_string', [stringType, stringType], boolType, text((a, b) => a.startsWith(b))]),
  declare(
    'matches',
    ['matches', [stringType, stringType], boolType, matches],
    ['.matches_string', [stringType, stringType], boolType, matches],
  ),
];

const same: Run = ([v]) => v!;

const notA = (type: string): CelError => new CelError(`type conversion error from 'string' to '${type}'`);

function intFromDouble(n: number): Value {
  if (Number.isNaN(n) || n <= -(2 ** 63) || n >= 2 ** 63) return overflow;
  return BigInt(Math.trunc(n));
}
function uintFromDouble(n: number): Value {
  return Number.isNaN(n) || n < 0 || n >= 2 ** 64 ? unsignedOverflow : new Uint(BigInt(Math.trunc(n)));
}
function intFromText(s: string): Value {
  if (!/^[+-]?\d+$/.test(s)) return notA('int');
  const n = BigInt(s.startsWith('+') ? s.slice(1) : s);
  return BigInt.asIntN(64, n) === n ? n : notA('int');
}
function uintFromText(s: string): Value {
  if (!/^\d+$/.test(s)) return notA('uint');
  const n = BigInt(s);
  return n < 2n ** 64n ? new Uint(n) : notA('uint');
}
function doubleFromText(s: string): Value {
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(s);
  if (special !== null) return special[2]!.toLowerCase() === 'nan' ? Number.NaN : special[1] === '-' ? -Infinity : Infinity;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(s)) return notA('double');
  return Number(s);
}
const trueTexts = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const falseTexts = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);
function boolFromText(s: string): Value {
  if (trueTexts.has(s)) return true;
  return falseTexts.has(s) ? false : notA('bool');
}
function durationFromText(s: string): Value {
  try {
    return duration(parseDuration(s));
  } catch (e) {
    if (!(e instanceof DurationError)) throw e;
    return notA('google.protobuf.Duration');
  }
}
function textFromBytes(v: Uint8Array): Value {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(v);
  } catch {
    return new CelError('invalid UTF-8 in bytes, cannot convert to string');
  }
}

const conversions: readonly FunctionDeclaration[] = [
  declare('type', ['type', [A], typeOf(A), ([v]) => new TypeValue(typeOfValue(v!))]),
  declare('dyn', ['to_dyn', [A], dynType, same]),
  declare(
    'bool',
    ['bool_to_bool', [boolType], boolType, same],
    ['string_to_bool', [stringType], boolType, ([s]) => boolFromText(s as string)],
  ),
  declare(
    'bytes',
    ['bytes_to_bytes', [bytesType], bytesType, same],
    ['string_to_bytes', [stringType], bytesType, ([s]) => Buffer.from(s as string)],
  ),
  declare(
    'double',
    ['double_to_double', [doubleType], doubleType, same],
    ['int64_to_double', [intType], doubleType, ([v]) => Number(v as bigint)],
    ['string_to_double', [stringType], doubleType, ([s]) => doubleFromText(s as string)],
    ['uint64_to_double', [uintType], doubleType, ([v]) => Number(u(v))],
  ),
  declare(
    'duration',
    ['duration_to_duration', [durationType], durationType, same],
    ['int64_to_duration', [intType], durationType, ([v]) => new Duration(v as bigint)],
    ['string_to_duration', [stringType], durationType, ([s]) => durationFromText(s as string)],
  ),
  declare(
    'int',
    ['int64_to_int64', [intType], intType, same],
    ['double_to_int64', [doubleType], intType, ([v]) => intFromDouble(v as number)],
    ['duration_to_int64', [durationType], intType, ([v]) => nanos(v)],
    ['string_to_int64', [stringType], intType, ([s]) => intFromText(s as string)],
    ['timestamp_to_int64', [timestampType], intType, ([v]) => floorSeconds(nanos(v))],
    ['uint64_to_int64', [uintType], intType, ([v]) => (u(v) < 2n ** 63n ? u(v) : overflow)],
  ),
  declare(
    'string',
    ['string_to_string', [stringType], stringType, same],
    ['bool_to_string', [boolType], stringType, ([v]) => String(v)],
    ['bytes_to_string', [bytesType], stringType, ([v]) => textFromBytes(v as Uint8Array)],
    ['double_to_string', [doubleType], stringType, ([v]) => formatDouble(v as number)],
    ['duration_to_string', [durationType], stringType, ([v]) => durationText(nanos(v))],
    ['int64_to_string', [intType], stringType, ([v]) => String(v)],
    ['timestamp_to_string', [timestampType], stringType, ([v]) => formatTimestamp(v as Timestamp)],
    ['uint64_to_string', [uintType], stringType, ([v]) => String(u(v))],
  ),
  declare(
    'timestamp',
    ['timestamp_to_timestamp', [timestampType], timestampType, same],
    ['int64_to_timestamp', [intType], timestampType, ([v]) => time((v as bigint) * 1_000_000_000n)],
    ['string_to_timestamp', [stringType], timestampType, ([s]) => parseTimestamp(s as string) ?? notA('google.protobuf.Timestamp')],
  ),
  declare(
    'uint',
    ['uint64_to_uint64', [uintType], uintType, same],
    ['double_to_uint64', [doubleType], uintType, ([v]) => uintFromDouble(v as number)],
    ['int64_to_uint64', [intType], uintType, ([v]) => ((v as bigint) < 0n ? unsignedOverflow : new Uint(v as bigint))],
    ['string_to_uint64', [stringType], uintType, ([s]) => uintFromText(s as string)],
  ),
];

const floorSeconds = (n: bigint): bigint => (n - (((n % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n;
/** Seconds in decimal, as protobuf's JSON has them. */
function durationText(n: bigint): string {
  const sign = n < 0n ? '-' : '';
  const a = n < 0n ? -n : n;
  const fraction = String(a % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${sign}${a / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}s`;
}

export const standardFunctions: ReadonlyMap<string, FunctionDeclaration> = mergeFunctions(new Map(), [
  ...arithmetic,
  ...logic,
  ...strings,
  ...conversions,
  ...timeFunctions,
]);
