/** What calls of Kubernetes' libraries can cost, and how large their results get. */

import type { Expr } from './ast.ts';
import { add, fixed, maxUint64, multiply, type Range, scale, unknownSize } from './cost-numbers.ts';
import { authorizationCost, regexFactor, traversalFactor } from './cost-runtime.ts';
import { type CelType, sameType } from './types.ts';

/** An operand as estimates see it. */
export interface SizedNode {
  readonly type: CelType;
  readonly expr: Expr;
  /** From nothing to everything where nothing is known. */
  readonly size: Range;
  readonly computedSize: Range | undefined;
  /** Of the elements, where this is a list. */
  elementSize(): Range;
}
export interface CallEstimate {
  readonly cost: Range;
  /** Of the result, where it has one. */
  readonly size?: Range | undefined;
}

type Estimate = (target: SizedNode | undefined, args: readonly SizedNode[], id: string) => CallEstimate | undefined;

const one = fixed(1);
const walk = (r: Range, factor = traversalFactor): Range => scale(r, factor);
const nominal: Estimate = () => ({ cost: one });
const ofArgument =
  (factor = traversalFactor, sized = false): Estimate =>
  (_target, [a]) =>
    a === undefined ? undefined : { cost: walk(a.size, factor), size: sized ? a.size : undefined };
const ofTarget: Estimate = (target) => target && { cost: walk(target.size), size: target.size };
const elementType = (n: SizedNode): CelType | undefined =>
  n.type.kind === 'list'
    ? n.type.element
    : n.type.kind === 'map'
      ? n.type.key
      : n.type.kind === 'opaque'
        ? n.type.parameters[0]
        : undefined;

/** Looks at each element; texts are walked as well. */
const perElement: Estimate = (target) => {
  if (target === undefined) return undefined;
  const element = elementType(target);
  if (element === undefined) return { cost: walk(target.size) };
  // Elements that are no texts fall through to the cost of an ordinary call.
  if (element.kind !== 'string' && element.kind !== 'bytes') return { cost: target.size };
  return { cost: multiply(target.size, add(one, walk(target.elementSize()))) };
};

const selector: Estimate = (_target, [a]) => {
  if (a === undefined) return undefined;
  return { cost: add(add(fixed(10), walk(a.size)), scale(scale(a.size, 0.5), 50)) };
};

const ceilDivide = (a: bigint, b: bigint): bigint => BigInt(Math.ceil(Number(a) / Number(b)));

/** The result is longest when the shortest matches get the longest replacements, and the other way round. */
const replace: Estimate = (target, [old, by]) => {
  if (target === undefined || old === undefined || by === undefined) return undefined;
  const { size } = target;
  const more = (n: bigint): bigint => (n < maxUint64 ? n + 1n : n);
  let [countMin, countMax, keptMin, keptMax] = [0n, 0n, 0n, 0n];
  if (old.size.min === 0n) [countMax, keptMax] = [more(size.max), size.max];
  else if (by.size.max <= old.size.min) keptMax = size.max;
  else countMax = ceilDivide(size.max, old.size.min);
  if (old.size.max === 0n) [countMin, keptMin] = [more(size.min), size.min];
  else if (old.size.max <= by.size.min) keptMin = size.min;
  else countMin = ceilDivide(size.min, old.size.max);
  const result = add(multiply({ min: countMin, max: countMax }, by.size), { min: keptMin, max: keptMax });
  return { cost: walk(size, 2 * traversalFactor), size: result };
};

const split: Estimate = (target, args) => {
  if (target === undefined) return undefined;
  const limit = args[1]?.expr;
  const given = limit?.kind === 'literal' && typeof limit.value === 'bigint' ? BigInt.asUintN(64, limit.value) : undefined;
  return { cost: walk(target.size, 2 * traversalFactor), size: { min: 0n, max: given ?? target.size.max } };
};

const join: Estimate = (target, [separator]) => {
  if (target === undefined) return undefined;
  let size = elementType(target) === undefined ? fixed(0) : multiply(target.size, target.elementSize());
  if (separator !== undefined) {
    const between = (n: bigint): bigint => (n > 0n ? n - 1n : 0n);
    size = add(size, multiply(separator.size, { min: between(target.size.min), max: between(target.size.max) }));
  }
  return { cost: walk(size), size };
};

const find: Estimate = (target, [pattern]) => {
  if (target === undefined || pattern === undefined) return undefined;
  const text = walk(add(target.size, one));
  return { cost: multiply(text, scale(pattern.size, regexFactor)), size: { min: 0n, max: target.size.max } };
};

const addressBytes: Range = { min: 4n, max: 16n };
const contains =
  (network: boolean): Estimate =>
  (_target, [a], id) => {
    if (a === undefined) return undefined;
    let cost = walk(add(addressBytes, addressBytes));
    if (network) cost = add(add(cost, walk(addressBytes)), one);
    if (id.endsWith('_string')) cost = add(cost, walk(a.size));
    return { cost };
  };

const maxFormatPattern = 128;
const validate: Estimate = (_target, [text]) => text && { cost: scale(walk(text.size), maxFormatPattern * regexFactor) };

const constantTime = new Set([
  'kubernetes.Quantity',
  'kubernetes.Semver',
  'net.IP',
  'net.CIDR',
  ...['Authorizer', 'PathCheck', 'GroupCheck', 'ResourceCheck', 'Decision'].map((n) => `kubernetes.authorization.${n}`),
]);
const maxFormatSize = 64n;
const equality: Estimate = (_target, [a, b]) => {
  if (a === undefined || b === undefined || !sameType(a.type, b.type)) return undefined;
  if (a.type.kind !== 'object' && a.type.kind !== 'opaque') return undefined;
  if (constantTime.has(a.type.name)) return { cost: one };
  if (a.type.name === 'kubernetes.NamedFormat') return { cost: walk({ min: 1n, max: maxFormatSize }) };
  return a.type.name === 'kubernetes.URL' ? { cost: walk({ min: 1n, max: b.computedSize?.max ?? 1n }) } : undefined;
};

const named: Readonly<Record<string, Estimate>> = {
  check: () => ({ cost: fixed(authorizationCost) }),
  fieldSelector: selector,
  labelSelector: selector,
  url: ofArgument(traversalFactor, true),
  'jsonpatch.escapeKey': ofArgument(traversalFactor, true),
  replace,
  split,
  join,
  find,
  findAll: find,
  ip: (target, args, id) => (id === 'cidr_ip' ? { cost: one } : ofArgument()(target, args, id)),
  'ip.isCanonical': ofArgument(2 * traversalFactor),
  containsIP: contains(false),
  containsCIDR: contains(true),
  validate,
  '_==_': equality,
};
const groups: readonly (readonly [Estimate, string])[] = [
  [nominal, 'serviceAccount path group resource subresource namespace name allowed reason error errored'],
  [perElement, 'isSorted sum max min indexOf lastIndexOf'],
  [ofTarget, 'lowerAscii upperAscii substring trim'],
  [ofArgument(), 'cidr isIP isCIDR quantity isQuantity semver isSemver'],
  [nominal, 'masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast format.named'],
  [nominal, 'sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch'],
  [nominal, 'getScheme getHostname getHost getPort getEscapedPath getQuery'],
];
const byName = new Map<string, Estimate>([
  ...groups.flatMap(([estimate, names]) => names.split(' ').map((n) => [n, estimate] as const)),
  ...Object.entries(named),
]);

/** A call that makes a list of this size. */
const allocating = (factor: number, size: Range): CallEstimate => ({ cost: add(scale(size, factor), fixed(11)), size });
const given = (n: SizedNode | undefined, otherwise: bigint): bigint => {
  if (n?.expr.kind !== 'literal' || typeof n.expr.value !== 'bigint') return otherwise;
  return n.expr.value < 0n ? 0n : n.expr.value;
};
const square = (r: Range): Range => multiply(r, r);
const sets =
  (factor: number): Estimate =>
  (_target, [a, b]) =>
    a && b && { cost: add(scale(multiply(a.size, b.size), factor), one) };

const byOverload: Readonly<Record<string, Estimate>> = {
  list_slice: (t, [from, to]) => t && allocating(1, fixed(BigInt.asUintN(64, given(to, t.size.max) - given(from, 0n)))),
  list_flatten: (t) => t && allocating(1, t.size),
  list_flatten_int: (t, [depth]) => t && allocating(Number(given(depth, maxUint64)), t.size),
  lists_range: (_t, [n]) => allocating(1, fixed(given(n, maxUint64))),
  list_reverse: (t) => t && allocating(1, t.size),
  list_distinct: (t) => t && allocating(2, square(t.size)),
  list_sets_contains_list: sets(1),
  list_sets_intersects_list: sets(1),
  list_sets_equivalent_list: sets(2),
};
const sorting = /^list_(\w+?)_sort(ByAssociatedKeys)?$/;

/** Undefined: the call is one of the language's own, or costs 1. */
export function estimateLibraryCall(
  name: string,
  id: string,
  target: SizedNode | undefined,
  args: readonly SizedNode[],
): CallEstimate | undefined {
  if (Object.hasOwn(byOverload, id)) return byOverload[id]!(target, args, id);
  const sorts = sorting.exec(id);
  if (sorts !== null && target !== undefined) {
    const keys = sorts[2] === undefined ? target.size : (args[0]?.size ?? unknownSize);
    return allocating(sorts[1] === 'string' || sorts[1] === 'bytes' ? 2 + traversalFactor : 2, square(keys));
  }
  return byName.get(name)?.(target, args, id);
}
