import { declare, type Run } from '../declare.ts';
import type { FunctionDeclaration } from '../environment.ts';
import { boolType, dynType, intType, listOf, mapOf, optionalOf, stringType, typeParameter } from '../types.ts';
import { ArrayList, CelError, CelList, CelMap, Duration, noSuchOverload, none, Optional, Timestamp, Uint, type Value } from '../values.ts';

const V = typeParameter('V');
const K = typeParameter('K');
const optionalV = optionalOf(V);
const listV = listOf(V);
const mapKV = mapOf(K, V);
/** Done by the evaluator. */
const elsewhere: Run = () => noSuchOverload;

function isZero(v: Value): boolean {
  if (v === null || v === false || v === '' || v === 0n || v === 0) return true;
  if (v instanceof Uint) return v.value === 0n;
  if (v instanceof Uint8Array) return v.length === 0;
  if (v instanceof CelList || v instanceof CelMap) return v.size === 0;
  if (v instanceof Duration) return v.nanoseconds === 0n;
  if (v instanceof Timestamp) return v.nanoseconds === -62_135_596_800_000_000_000n;
  return v instanceof Optional && v.value === undefined;
}

const unwrap: Run = ([list]) => {
  const values: Value[] = [];
  for (const v of (list as CelList).values()) {
    if (!(v instanceof Optional)) return new CelError(`value ${String(v)} is not optional`);
    if (v.value !== undefined) values.push(v.value);
  }
  return new ArrayList(values);
};
const elementOrNone = (list: CelList, i: number): Value => (list.size === 0 ? none : new Optional(list.at(i)));

export const optionalFunctions: readonly FunctionDeclaration[] = [
  declare('optional.of', ['optional_of', [V], optionalV, ([v]) => new Optional(v!)]),
  declare('optional.ofNonZeroValue', ['optional_ofNonZeroValue', [V], optionalV, ([v]) => (isZero(v!) ? none : new Optional(v!))]),
  declare('optional.none', ['optional_none', [], optionalV, () => none]),
  declare('value', ['.optional_value', [optionalV], V, ([v]) => (v as Optional).value ?? new CelError('optional.none() dereference')]),
  declare('hasValue', ['.optional_hasValue', [optionalV], boolType, ([v]) => (v as Optional).value !== undefined]),
  declare('or', ['.optional_or_optional', [optionalV, optionalV], optionalV, elsewhere]),
  declare('orValue', ['.optional_orValue_value', [optionalV, V], V, elsewhere]),
  declare('_?._', ['select_optional_field', [dynType, stringType], optionalV, elsewhere]),
  declare(
    '_[?_]',
    ['list_optindex_optional_int', [listV, intType], optionalV, elsewhere],
    ['optional_list_optindex_optional_int', [optionalOf(listV), intType], optionalV, elsewhere],
    ['map_optindex_optional_value', [mapKV, K], optionalV, elsewhere],
    ['optional_map_optindex_optional_value', [optionalOf(mapKV), K], optionalV, elsewhere],
  ),
  declare(
    '_[_]',
    ['optional_list_index_int', [optionalOf(listV), intType], optionalV, elsewhere],
    ['optional_map_index_value', [optionalOf(mapKV), K], optionalV, elsewhere],
  ),
  declare('first', ['.list_first', [listV], optionalV, ([l]) => elementOrNone(l as CelList, 0)]),
  declare('last', ['.list_last', [listV], optionalV, ([l]) => elementOrNone(l as CelList, (l as CelList).size - 1)]),
  declare('optional.unwrap', ['optional_unwrap', [listOf(optionalV)], listV, unwrap]),
  declare('unwrapOpt', ['.optional_unwrapOpt', [listOf(optionalV)], listV, unwrap]),
];
