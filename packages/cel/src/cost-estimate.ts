/** What an expression can cost at most, told from the sizes that its variables' types allow. */

import { accumulator, type Call, type Comprehension, type Expr } from './ast.ts';
import type { CheckedExpression } from './checker.ts';
import { estimateLibraryCall, type SizedNode } from './cost-library.ts';
import { add, fixed, maxUint64, multiply, type Range, scale, sum, union, unknownSize } from './cost-numbers.ts';
import { regexFactor, traversalFactor } from './cost-runtime.ts';
import { type CelType, isOptional } from './types.ts';
import { codePoints } from './values.ts';

/**
 * How large the values at a path of declared types are: `['self', 'spec', '@items']`; undefined where nothing is known.
 */
export type EstimateSize = (path: readonly string[]) => Range | undefined;

interface EntrySize {
  readonly container: 'list' | 'map';
  readonly key: Range;
  readonly value: Range;
}
interface LocalVariable {
  readonly path: readonly string[];
  readonly size: Range | undefined;
  readonly entrySize: EntrySize | undefined;
}

const one = fixed(1);
const nothing: Range = { min: maxUint64, max: 0n };

/** The range of an expression's cost. */
export function estimateCost(checked: CheckedExpression, estimateSize: EstimateSize): Range {
  return new Estimator(checked, estimateSize).cost(checked.expr);
}

class Estimator {
  readonly #checked: CheckedExpression;
  readonly #estimateSize: EstimateSize;
  readonly #paths = new Map<Expr, readonly string[]>();
  readonly #locals = new Map<string, LocalVariable[]>();
  readonly #sizes = new Map<Expr, Range>();
  readonly #entrySizes = new Map<Expr, EntrySize>();
  readonly #costs = new Map<Expr, Range>();

  constructor(checked: CheckedExpression, estimateSize: EstimateSize) {
    this.#checked = checked;
    this.#estimateSize = estimateSize;
  }

  cost(e: Expr): Range {
    let cost = this.#costs.get(e);
    if (cost === undefined) {
      cost = this.#estimate(e);
      this.#costs.set(e, cost);
    }
    return cost;
  }

  #estimate(e: Expr): Range {
    switch (e.kind) {
      case 'literal':
        return fixed(0);
      case 'ident':
        this.#paths.set(e, this.#local(e.name)?.path ?? [e.name]);
        return one;
      case 'select': {
        const name = this.#checked.names.get(e);
        if (name !== undefined) {
          this.#paths.set(e, [name]);
          return one;
        }
        const operand = this.cost(e.operand);
        if (e.test) return operand;
        this.#paths.set(e, [...this.#path(e.operand), e.field]);
        const { kind } = this.#type(e.operand);
        return kind === 'map' || kind === 'object' || kind === 'param' ? add(operand, one) : operand;
      }
      case 'call':
        return this.#call(e);
      case 'list': {
        const cost = sum(e.elements.map((x) => this.cost(x)));
        const value = e.elements.map((x) => this.#sizeOrUnknown(x)).reduce(union, e.elements.length === 0 ? fixed(0) : nothing);
        this.#entrySizes.set(e, { container: 'list', key: one, value });
        return add(cost, fixed(10));
      }
      case 'map': {
        const cost = sum(e.entries.flatMap((x) => [this.cost(x.key), this.cost(x.value)]));
        const start = e.entries.length === 0 ? fixed(0) : nothing;
        const key = e.entries.map((x) => this.#sizeOrUnknown(x.key)).reduce(union, start);
        const value = e.entries.map((x) => this.#sizeOrUnknown(x.value)).reduce(union, start);
        this.#entrySizes.set(e, { container: 'map', key, value });
        return add(cost, fixed(30));
      }
      case 'struct':
        return add(sum(e.fields.map((f) => this.cost(f.value))), fixed(40));
      case 'comprehension':
        return e.does === 'bind' ? this.#bind(e) : this.#fold(e);
    }
  }

  #type(e: Expr): CelType {
    return this.#checked.types.get(e)!;
  }
  #local(name: string): LocalVariable | undefined {
    return this.#locals.get(name)?.at(-1);
  }
  #push(name: string, v: LocalVariable): void {
    const stack = this.#locals.get(name);
    if (stack === undefined) this.#locals.set(name, [v]);
    else stack.push(v);
  }
  #pop(name: string): void {
    this.#locals.get(name)!.pop();
  }
  #path(e: Expr): readonly string[] {
    if (e.kind === 'ident') {
      const local = this.#local(e.name);
      if (local !== undefined) return local.path;
    }
    return this.#paths.get(e) ?? [];
  }

  #size(e: Expr): Range | undefined {
    const known = this.#sizes.get(e);
    if (known !== undefined) return known;
    const literal = literalSize(e);
    if (literal !== undefined) return literal;
    const estimated = this.#estimateSize(this.#path(e));
    if (estimated !== undefined) {
      this.#sizes.set(e, estimated);
      return estimated;
    }
    if (isScalar(this.#type(e))) return one;
    return e.kind === 'ident' ? this.#local(e.name)?.size : undefined;
  }
  #sizeOrUnknown(e: Expr): Range {
    return this.#size(e) ?? unknownSize;
  }
  #entrySize(e: Expr): EntrySize | undefined {
    const known = this.#entrySizes.get(e);
    return known ?? (e.kind === 'ident' ? this.#local(e.name)?.entrySize : undefined);
  }
  #copySizes(to: Expr, from: Expr): void {
    const size = this.#size(from);
    const entrySize = this.#entrySize(from);
    if (size !== undefined) this.#sizes.set(to, size);
    if (entrySize !== undefined) this.#entrySizes.set(to, entrySize);
  }

  #node(e: Expr): SizedNode {
    const path = this.#path(e);
    const shown = path[0] === accumulator ? [] : path;
    const size = this.#size(e);
    return {
      type: this.#type(e),
      expr: e,
      size: size ?? unknownSize,
      elementSize: () => (shown.length === 0 ? unknownSize : (this.#estimateSize([...shown, '@items']) ?? unknownSize)),
      computedSize: size,
    };
  }

  #call(e: Call): Range {
    const namespaced = this.#checked.names.get(e);
    const name = namespaced ?? e.name;
    if (name === 'dyn' && e.target === undefined) {
      const cost = add(one, this.cost(e.args[0]!));
      this.#copySizes(e, e.args[0]!);
      return cost;
    }
    const argCosts = e.args.map((a) => this.cost(a));
    if (name === '_?._') return add(argCosts[0]!, one);
    const overloads = this.#checked.overloads.get(e) ?? [];
    if (overloads.length === 0) return fixed(0);
    const target = e.target === undefined || namespaced !== undefined ? undefined : e.target;
    const targetCost = target === undefined ? fixed(0) : this.cost(target);
    let cost: Range = nothing;
    let size: Range | undefined;
    for (const { id } of overloads) {
      const estimate = this.#overload(e, { name, id, target, argCosts });
      cost = union(cost, estimate.cost);
      if (estimate.size !== undefined) size = size === undefined ? estimate.size : union(size, estimate.size);
      if (id === 'index_list' || id === 'index_map') {
        size = this.#entrySize(e.args[0]!)?.value;
        this.#paths.set(e, [...this.#path(e.args[0]!), id === 'index_list' ? '@items' : '@values']);
      }
      size ??= this.#size(e);
    }
    if (size !== undefined) this.#sizes.set(e, size);
    return add(targetCost, cost);
  }

  #overload(
    e: Call,
    call: { readonly name: string; readonly id: string; readonly target: Expr | undefined; readonly argCosts: readonly Range[] },
  ): { readonly cost: Range; readonly size?: Range | undefined } {
    const { id, argCosts } = call;
    const args = sum(argCosts);
    const target = call.target === undefined ? undefined : this.#node(call.target);
    const own = estimateLibraryCall(
      call.name,
      id,
      target,
      e.args.map((a) => this.#node(a)),
    );
    if (own !== undefined) return { cost: add(own.cost, args), size: own.size };
    const size = (i: number): Range => this.#sizeOrUnknown(e.args[i]!);
    const walk = (r: Range): Range => add(scale(r, traversalFactor), args);
    switch (id) {
      case 'string_format':
        return { cost: walk(target!.size) };
      case 'string_to_bytes':
        return { cost: walk(size(0)), size: { min: size(0).min, max: BigInt.asUintN(64, size(0).max * 4n) } };
      case 'bytes_to_string':
        return { cost: walk(size(0)), size: { min: size(0).min / 4n, max: size(0).max } };
      case 'strings_quote':
        return { cost: walk(size(0)), size: { min: size(0).min + 2n, max: BigInt.asUintN(64, size(0).max * 2n + 2n) } };
      case 'starts_with_string':
      case 'ends_with_string':
        return { cost: walk(size(0)) };
      case 'in_list':
        return { cost: add(size(1), args) };
      case 'matches_string': {
        const text = scale(add(target!.size, one), traversalFactor);
        return { cost: add(multiply(text, scale(size(0), regexFactor)), args) };
      }
      case 'contains_string':
        return { cost: add(multiply(scale(target!.size, traversalFactor), scale(size(0), traversalFactor)), args) };
      case 'logical_or':
      case 'logical_and':
        return { cost: { min: argCosts[0]!.min, max: args.max } };
      case 'conditional':
        return this.#conditional(e, argCosts);
      case 'add_string':
      case 'add_bytes':
      case 'add_list':
        return this.#concatenation(e, id, args);
      default:
        return { cost: comparisons.has(id) ? walk(smaller(size(0), size(1))) : add(one, args) };
    }
  }

  #conditional(e: Call, argCosts: readonly Range[]): { cost: Range; size: Range } {
    const [, yes, no] = e.args as [Expr, Expr, Expr];
    const [a, b] = [this.#entrySize(yes), this.#entrySize(no)];
    if (a !== undefined && b !== undefined) this.#entrySizes.set(e, unionEntries(a, b));
    return {
      cost: add(argCosts[0]!, union(argCosts[1]!, argCosts[2]!)),
      size: union(this.#sizeOrUnknown(yes), this.#sizeOrUnknown(no)),
    };
  }

  #concatenation(e: Call, id: string, args: Range): { cost: Range; size: Range } {
    const [left, right] = e.args as [Expr, Expr];
    const size = add(this.#sizeOrUnknown(left), this.#sizeOrUnknown(right));
    const [a, b] = [this.#entrySize(left), this.#entrySize(right)];
    if (a !== undefined && b !== undefined) this.#entrySizes.set(e, unionEntries(a, b));
    return { cost: add(id === 'add_list' ? one : scale(size, traversalFactor), args), size };
  }

  #bind(e: Comprehension): Range {
    const start = add(this.cost(e.range), this.cost(e.init));
    const name = e.accuVar ?? accumulator;
    this.#push(name, { path: this.#path(e.init), size: this.#size(e.init), entrySize: this.#entrySize(e.init) });
    const result = this.cost(e.result);
    this.#pop(name);
    this.#copySizes(e, e.result);
    return add(start, result);
  }

  #fold(e: Comprehension): Range {
    const start = add(this.cost(e.range), this.cost(e.init));
    this.#push(accumulator, { path: this.#path(e.init), size: this.#size(e.init), entrySize: this.#entrySize(e.init) });
    const entry = this.#entrySize(e.range);
    const isList = entry === undefined ? this.#type(e.range).kind === 'list' : entry.container === 'list';
    const path = this.#path(e.range);
    const [keys, values] = isList ? ['@indices', '@items'] : ['@keys', '@values'];
    const keyVariable = { path: [...path, keys], size: entry?.key, entrySize: undefined };
    const valueVariable = { path: [...path, values], size: entry?.value, entrySize: undefined };
    this.#push(e.iterVar, e.iterVar2 !== undefined || !isList ? keyVariable : valueVariable);
    if (e.iterVar2 !== undefined) this.#push(e.iterVar2, valueVariable);
    const turn = add(this.cost(e.condition), this.cost(e.step));
    this.#pop(e.iterVar);
    if (e.iterVar2 !== undefined) this.#pop(e.iterVar2);
    const result = this.cost(e.result);
    this.#pop(accumulator);
    const count = this.#sizeOrUnknown(e.range);
    if (e.init.kind === 'literal') this.#sizes.set(e, literalSize(e.init)!);
    else {
      this.#sizes.set(e, count);
      const made = this.#entrySize(e.step);
      if (made !== undefined) this.#entrySizes.set(e, made);
    }
    return sum([start, result, multiply(count, turn)]);
  }
}

const unionEntries = (a: EntrySize, b: EntrySize): EntrySize => ({
  container: a.container,
  key: union(a.key, b.key),
  value: union(a.value, b.value),
});

function smaller(a: Range, b: Range): Range {
  const max = a.max < b.max ? a.max : b.max;
  return { min: max > 0n ? 1n : 0n, max };
}
const comparisons = new Set([
  'equals',
  'not_equals',
  ...['less', 'greater', 'less_equals', 'greater_equals'].flatMap((o) => [`${o}_string`, `${o}_bytes`]),
]);

function literalSize(e: Expr): Range | undefined {
  if (e.kind === 'list') return fixed(e.elements.length);
  if (e.kind === 'map') return fixed(e.entries.length);
  if (e.kind !== 'literal') return undefined;
  if (typeof e.value === 'string') return fixed(codePoints(e.value));
  return fixed(e.value instanceof Uint8Array ? e.value.length : 1);
}

const scalars = new Set<CelType['kind']>(['bool', 'double', 'duration', 'int', 'timestamp', 'uint']);
const isScalar = (t: CelType): boolean => scalars.has(t.kind) || (isOptional(t) && isScalar(t.parameters[0]!));
