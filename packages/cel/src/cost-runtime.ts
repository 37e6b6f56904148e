/** What calls cost when they are made, in the units of Kubernetes' limits (a unit is some 50 ns of upstream's time). */

import type { CallContext } from './environment.ts';
import { FormatValue } from './library/format.ts';
import { CelList, CelMap, codePoints, costSize, Opaque, type Value } from './values.ts';

/** Of walking a text once, for each character. */
export const traversalFactor = 0.1;
/** Of a regular expression, for each of its characters. */
export const regexFactor = 0.25;

/** A walk that costs more than an evaluation may is not finished. */
const maxTraversal = 1_000_000;

const traverse = (v: Value, factor = traversalFactor): number => Math.ceil(costSize(v) * factor);

/** Of walking all of a value; what is looked at counts as work, since much of it may cost nothing. */
function traversalCost(v: Value, context: CallContext): number {
  context.work(1);
  if (typeof v === 'string') return Math.floor(Buffer.byteLength(v) * traversalFactor);
  if (v instanceof Uint8Array) return Math.floor(v.length * traversalFactor);
  if (v instanceof CelList) {
    let cost = 0;
    for (let i = 0; i < v.size && cost < maxTraversal; i++) cost += traversalCost(v.at(i), context);
    return cost;
  }
  if (!(v instanceof CelMap)) return 1;
  let cost = 0;
  for (const key of v.keys()) {
    cost += traversalCost(key, context) + traversalCost(v.find(key) ?? null, context);
    if (cost >= maxTraversal) break;
  }
  return cost;
}

const regexCost = (text: Value, patternSize: number): number =>
  Math.ceil((1 + costSize(text)) * traversalFactor) * Math.ceil(patternSize * regexFactor);

/** An authorizer's answer is dear: two fit into one expression. */
export const authorizationCost = 350_000;
/** Per requirement of a selector: a list and a struct; the shortest requirement has two characters. */
export function selectorCost(length: number): number {
  return 10 + Math.ceil(length * traversalFactor) + Math.ceil(Math.ceil(length * 0.5) * 50);
}

interface Made {
  /** Of calls that are charged after they were made. */
  readonly result: Value | undefined;
  readonly context: CallContext;
}
type Cost = (args: readonly Value[], id: string, made: Made) => number;
const [first, second] = [0, 1];
const arg = (args: readonly Value[], i: number): Value => args[i] ?? null;
const ofFirst: Cost = (args) => traverse(arg(args, first));
const twiceFirst: Cost = (args) => traverse(arg(args, first), 2 * traversalFactor);
const wholeFirst: Cost = (args, _id, { context }) => traversalCost(arg(args, first), context);

const library: Readonly<Record<string, Cost>> = {
  check: () => authorizationCost,
  fieldSelector: (args) => selectorCost(costSize(arg(args, second))),
  labelSelector: (args) => selectorCost(costSize(arg(args, second))),
  isSorted: wholeFirst,
  sum: wholeFirst,
  max: wholeFirst,
  min: wholeFirst,
  indexOf: wholeFirst,
  lastIndexOf: wholeFirst,
  url: ofFirst,
  lowerAscii: ofFirst,
  upperAscii: ofFirst,
  substring: ofFirst,
  trim: ofFirst,
  'jsonpatch.escapeKey': ofFirst,
  replace: twiceFirst,
  split: twiceFirst,
  join: (_args, _id, { result }) => traverse(result ?? null, 2 * traversalFactor),
  find: (args) => regexCost(arg(args, first), costSize(arg(args, second))),
  findAll: (args) => regexCost(arg(args, first), costSize(arg(args, second))),
  cidr: ofFirst,
  isIP: ofFirst,
  isCIDR: ofFirst,
  ip: (args, id) => (id === 'cidr_ip' ? 1 : traverse(arg(args, first))),
  'ip.isCanonical': twiceFirst,
  containsIP(args, id) {
    const own = costSize(arg(args, first));
    return Math.ceil(2 * own * traversalFactor) + (id === 'cidr_contains_ip_string' ? traverse(arg(args, second)) : 0);
  },
  containsCIDR(args, id) {
    const own = costSize(arg(args, first));
    const compare = Math.ceil(2 * own * traversalFactor) + Math.ceil(own * traversalFactor) + 1;
    return compare + (id === 'cidr_contains_cidr_string' ? traverse(arg(args, second)) : 0);
  },
  quantity: ofFirst,
  isQuantity: ofFirst,
  semver: ofFirst,
  isSemver: ofFirst,
  validate: (args) => regexCost(arg(args, second), arg(args, first) instanceof FormatValue ? (args[0] as FormatValue).patternSize : 0),
};

/** A call that makes a list: itself, the list, and what its elements cost. */
const allocating = (cost: number): number => Math.floor(cost) + 11;
const selfCompare =
  (i: number): Cost =>
  (args) => {
    const list = arg(args, i);
    const size = costSize(list);
    const element = list instanceof CelList && size > 0 ? list.at(0) : null;
    const long = typeof element === 'string' || element instanceof Uint8Array;
    return allocating(size * size * (long ? 2 + traversalFactor : 2));
  };
const sets =
  (factor: number): Cost =>
  (args) =>
    1 + costSize(arg(args, first)) * costSize(arg(args, second)) * factor;
const whole = (v: Value): number => (typeof v === 'bigint' && v > 0n ? Number(v) : 0);
const comparableKinds = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'];
const lists: Readonly<Record<string, Cost>> = {
  list_slice: (args) => allocating(Math.min(costSize(arg(args, 0)), Math.max(0, whole(arg(args, 2)) - whole(arg(args, 1))))),
  list_flatten: (args) => allocating(costSize(arg(args, 0))),
  list_flatten_int: (args) => allocating(costSize(arg(args, 0)) * whole(arg(args, 1))),
  lists_range: (args) => allocating(whole(arg(args, 0))),
  list_reverse: (args) => allocating(costSize(arg(args, 0))),
  list_distinct: selfCompare(0),
  ...Object.fromEntries(comparableKinds.map((k) => [`list_${k}_sort`, selfCompare(0)])),
  ...Object.fromEntries(comparableKinds.map((k) => [`list_${k}_sortByAssociatedKeys`, selfCompare(1)])),
  list_sets_contains_list: sets(1),
  list_sets_intersects_list: sets(1),
  list_sets_equivalent_list: sets(2),
};
/** Where the overload is known only at run time, these costs count all the same: they bound the work. */
const byName: Readonly<Record<string, Cost>> = {
  sort: selfCompare(0),
  distinct: selfCompare(0),
  '@sortByAssociatedKeys': selfCompare(1),
  '@in': (args) => (args[1] instanceof CelList ? args[1].size : 1),
};

const smaller: Cost = (args) => Math.ceil(Math.min(costSize(arg(args, first)), costSize(arg(args, second))) * traversalFactor);
const both: Cost = (args) => Math.ceil((costSize(arg(args, first)) + costSize(arg(args, second))) * traversalFactor);

/** Of the language's own overloads. */
const standard: Readonly<Record<string, Cost>> = {
  starts_with_string: ofFirst,
  ends_with_string: ofFirst,
  string_to_bytes: ofFirst,
  bytes_to_string: ofFirst,
  strings_quote: ofFirst,
  string_format: ofFirst,
  in_list: (args) => costSize(arg(args, second)),
  less_string: smaller,
  greater_string: smaller,
  less_equals_string: smaller,
  greater_equals_string: smaller,
  less_bytes: smaller,
  greater_bytes: smaller,
  less_equals_bytes: smaller,
  greater_equals_bytes: smaller,
  equals: smaller,
  not_equals: smaller,
  add_string: both,
  add_bytes: both,
  matches_string: (args) => regexCost(arg(args, first), codePoints(String(args[1]))),
  contains_string: (args) => traverse(arg(args, first)) * traverse(arg(args, second)),
  ...lists,
};

/** `id` is empty where the overload was chosen only at run time. `args`: the target of a member call first. */
export function callCost(name: string, id: string, args: readonly Value[], made: Made): number {
  if (name === '_==_' && args[0] instanceof Opaque) return 1;
  const own = Object.hasOwn(library, name) ? library[name] : undefined;
  if (own !== undefined) return own(args, id, made);
  if (Object.hasOwn(standard, id)) return standard[id]!(args, id, made);
  return Object.hasOwn(byName, name) ? byName[name]!(args, id, made) : 1;
}
