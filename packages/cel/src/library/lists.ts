import { declare, type Run } from '../declare.ts';
import type { CallContext, FunctionDeclaration } from '../environment.ts';
import { compare, equal } from '../equality.ts';
import { standardFunctions } from '../standard.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  stringType,
  timestampType,
  typeParameter,
  uintType,
} from '../types.ts';
import { ArrayList, CelError, CelList, Duration, noSuchOverload, Uint, type Value } from '../values.ts';

const T = typeParameter('T');
const listT = listOf(T);

const comparable: readonly (readonly [string, CelType])[] = [
  ['int', intType],
  ['uint', uintType],
  ['double', doubleType],
  ['bool', boolType],
  ['duration', durationType],
  ['timestamp', timestampType],
  ['string', stringType],
  ['bytes', bytesType],
];
const summable: readonly (readonly [string, CelType, Value])[] = [
  ['int', intType, 0n],
  ['uint', uintType, new Uint(0n)],
  ['double', doubleType, 0],
  ['duration', durationType, new Duration(0n)],
];

const isSorted: Run = ([list]) => {
  let before: Value | undefined;
  for (const v of (list as CelList).values()) {
    if (before !== undefined) {
      const order = compare(before, v);
      if (order === undefined) return noSuchOverload;
      if (order > 0) return false;
    }
    before = v;
  }
  return true;
};

const extreme =
  (name: 'min' | 'max'): Run =>
  ([list]) => {
    let best: Value | undefined;
    for (const v of (list as CelList).values()) {
      const order = best === undefined ? undefined : compare(best, v);
      if (best !== undefined && order === undefined) return noSuchOverload;
      if (best === undefined || (name === 'min' ? order! > 0 : order! < 0)) best = v;
    }
    return best === undefined ? new CelError(`${name} called on empty list`) : best;
  };

const add = standardFunctions.get('_+_')!;
function sum(type: CelType, zero: Value): Run {
  const plus = add.overloads.find((o) => o.args[0] === type && o.args[1] === type)!;
  return ([list], context) => {
    let total = zero;
    for (const v of (list as CelList).values()) {
      total = plus.run([total, v], context);
      if (total instanceof CelError) return total;
    }
    return total;
  };
}

const indexOf =
  (last: boolean): Run =>
  ([l, wanted], context) => {
    const list = l as CelList;
    const look = (n: number): void => context.work(n);
    for (let n = 0; n < list.size; n++) {
      const i = last ? list.size - 1 - n : n;
      if (equal(list.at(i), wanted!, look)) return BigInt(i);
    }
    return -1n;
  };

const slice: Run = ([l, from, to]) => {
  const list = l as CelList;
  const [start, end] = [from as bigint, to as bigint];
  const bad = (why: string) => new CelError(`cannot slice(${start}, ${end}), ${why}`);
  if (start < 0n || end < 0n) return bad('negative indexes not supported');
  if (start > end) return bad('start index must be less than or equal to end index');
  if (end > BigInt(list.size)) return bad(`list is length ${list.size}`);
  return copy(list, Number(start), Number(end));
};
function copy(list: CelList, from: number, to: number): CelList {
  const values: Value[] = [];
  for (let i = from; i < to; i++) values.push(list.at(i));
  return new ArrayList(values);
}

function flatten(list: CelList, depth: number, into: Value[], context: CallContext): Value[] {
  for (const v of list.values()) {
    context.work(1);
    if (v instanceof CelList && depth > 0) flatten(v, depth - 1, into, context);
    else into.push(v);
  }
  return into;
}

/** Indices in the order of their keys; undefined when keys can't be compared. */
function sortedIndices(keys: CelList): number[] | CelError {
  const values = [...keys.values()];
  const [first] = values;
  if (first !== undefined && compare(first, first) === undefined) return new CelError('list elements must be comparable');
  if (values.some((v) => compare(first!, v) === undefined || typeof v !== typeof first)) {
    return new CelError('list elements must have the same type');
  }
  return values.map((_, i) => i).sort((a, b) => compare(values[a]!, values[b]!)! || a - b);
}
const sort =
  (byKeys: boolean): Run =>
  ([l, keys]) => {
    const list = l as CelList;
    if (byKeys && (keys as CelList).size !== list.size) {
      return new CelError(
        `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.size} and ${(keys as CelList).size} elements respectively`,
      );
    }
    const order = sortedIndices(byKeys ? (keys as CelList) : list);
    return order instanceof CelError ? order : new ArrayList(order.map((i) => list.at(i)));
  };

const distinct: Run = ([list], context) => {
  const look = (n: number): void => context.work(n);
  const seen: Value[] = [];
  for (const v of (list as CelList).values()) if (!seen.some((s) => equal(s, v, look))) seen.push(v);
  return new ArrayList(seen);
};

const maxFlattenDepth = 1000n;
export const listFunctions: readonly FunctionDeclaration[] = [
  declare('isSorted', ...comparable.map(([name, t]) => [`.list_${name}_is_sorted_bool`, [listOf(t)], boolType, isSorted] as const)),
  declare('sum', ...summable.map(([name, t, zero]) => [`.list_${name}_sum_${name}`, [listOf(t)], t, sum(t, zero)] as const)),
  declare('max', ...comparable.map(([name, t]) => [`.list_${name}_max_${name}`, [listOf(t)], t, extreme('max')] as const)),
  declare('min', ...comparable.map(([name, t]) => [`.list_${name}_min_${name}`, [listOf(t)], t, extreme('min')] as const)),
  declare('indexOf', ['.list_a_index_of_int', [listT, T], intType, indexOf(false)]),
  declare('lastIndexOf', ['.list_a_last_index_of_int', [listT, T], intType, indexOf(true)]),
  declare('slice', ['.list_slice', [listT, intType, intType], listT, slice]),
  declare(
    'flatten',
    ['.list_flatten', [listOf(listT)], listT, ([l], c) => new ArrayList(flatten(l as CelList, 1, [], c))],
    [
      '.list_flatten_int',
      [listOf(dynType), intType],
      listOf(dynType),
      ([l, depth], c) => {
        const d = depth as bigint;
        if (d < 0n) return new CelError('level must be non-negative');
        return new ArrayList(flatten(l as CelList, Number(d > maxFlattenDepth ? maxFlattenDepth : d), [], c));
      },
    ],
  ),
  declare('sort', ...comparable.map(([, t]) => [`.list_${t.kind}_sort`, [listOf(t)], listOf(t), sort(false)] as const)),
  declare(
    '@sortByAssociatedKeys',
    ...comparable.map(([, t]) => [`.list_${t.kind}_sortByAssociatedKeys`, [listT, listOf(t)], listT, sort(true)] as const),
  ),
  declare('lists.range', [
    'lists_range',
    [intType],
    listOf(intType),
    ([n]) => new ArrayList(Array.from({ length: Number(n as bigint) }, (_, i) => BigInt(i))),
  ]),
  declare('reverse', ['.list_reverse', [listT], listT, ([l]) => new ArrayList([...(l as CelList).values()].reverse())]),
  declare('distinct', ['.list_distinct', [listT], listT, distinct]),
];
