import { accumulator, type Call, type Comprehension, type Expr, noElements } from './ast.ts';
import type { Issue } from './source.ts';

/** Thrown by a macro that is not written as it must be. */
export class MacroError extends Error {
  readonly issue: Issue;
  constructor(at: number, message: string) {
    super(message);
    this.issue = { at, message };
  }
}

type Expand = (at: number, target: Expr, args: readonly Expr[]) => Expr;

const literal = (at: number, value: boolean | bigint): Expr => ({ kind: 'literal', at, value });
const call = (at: number, name: string, ...args: Expr[]): Call => ({ kind: 'call', at, name, args });
const accu = (at: number): Expr => ({ kind: 'ident', at, name: accumulator });
const list = (at: number, ...elements: Expr[]): Expr => ({ kind: 'list', at, elements, optional: noElements });

function variable(e: Expr, message: string): string {
  if (e.kind !== 'ident') throw new MacroError(e.at, message);
  if (e.name === '__result__') throw new MacroError(e.at, 'iteration variable overwrites accumulator variable');
  return e.name;
}
const simpleName = 'argument must be a simple name';
const notIdentifier = 'argument is not an identifier';

interface Fold {
  readonly does: Comprehension['does'];
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

function quantifier(kind: 'all' | 'exists' | 'existsOne', at: number, predicate: Expr): Fold {
  if (kind === 'all') {
    const condition = call(at, '@not_strictly_false', accu(at));
    return { does: kind, init: literal(at, true), condition, step: call(at, '_&&_', accu(at), predicate), result: accu(at) };
  }
  if (kind === 'exists') {
    const condition = call(at, '@not_strictly_false', call(at, '!_', accu(at)));
    return { does: kind, init: literal(at, false), condition, step: call(at, '_||_', accu(at), predicate), result: accu(at) };
  }
  return {
    does: kind,
    init: literal(at, 0n),
    condition: literal(at, true),
    step: call(at, '_?_:_', predicate, call(at, '_+_', accu(at), literal(at, 1n)), accu(at)),
    result: call(at, '_==_', accu(at), literal(at, 1n)),
  };
}

/** The fold that collects: `step` with the filter, if any, before it. */
function collect(at: number, init: Expr, step: Expr, filter: Expr | undefined): Fold {
  const filtered = filter === undefined ? step : call(at, '_?_:_', filter, step, accu(at));
  return {
    does: init.kind === 'list' ? 'collectList' : 'collectMap',
    init,
    condition: literal(at, true),
    step: filtered,
    result: accu(at),
  };
}

const oneVariable =
  (kind: 'all' | 'exists' | 'existsOne'): Expand =>
  (at, range, args) => ({
    kind: 'comprehension',
    at,
    range,
    iterVar: variable(args[0]!, simpleName),
    ...quantifier(kind, at, args[1]!),
  });

function twoNames(args: readonly Expr[]): { iterVar: string; iterVar2: string } {
  const [a, b] = [args[0]!, args[1]!];
  if (a.kind !== 'ident') throw new MacroError(a.at, simpleName);
  if (b.kind !== 'ident') throw new MacroError(b.at, simpleName);
  if (a.name === b.name) throw new MacroError(b.at, `duplicate variable name: ${a.name}`);
  return { iterVar: variable(a, simpleName), iterVar2: variable(b, simpleName) };
}

const twoVariables =
  (kind: 'all' | 'exists' | 'existsOne'): Expand =>
  (at, range, args) => ({ kind: 'comprehension', at, range, ...twoNames(args), ...quantifier(kind, at, args[2]!) });

const map: Expand = (at, range, args) => {
  const iterVar = variable(args[0]!, notIdentifier);
  const [filter, element] = args.length === 3 ? [args[1], args[2]!] : [undefined, args[1]!];
  return { kind: 'comprehension', at, range, iterVar, ...collect(at, list(at), call(at, '_+_', accu(at), list(at, element)), filter) };
};
const filter: Expand = (at, range, args) => {
  const iterVar = variable(args[0]!, notIdentifier);
  return { kind: 'comprehension', at, range, iterVar, ...collect(at, list(at), call(at, '_+_', accu(at), list(at, args[0]!)), args[1]!) };
};
const transformList: Expand = (at, range, args) => {
  const [predicate, element] = args.length === 4 ? [args[2], args[3]!] : [undefined, args[2]!];
  const step = call(at, '_+_', accu(at), list(at, element));
  return { kind: 'comprehension', at, range, ...twoNames(args), ...collect(at, list(at), step, predicate) };
};
const emptyMap = (at: number): Expr => ({ kind: 'map', at, entries: [] });
const transformMap: Expand = (at, range, args) => {
  const names = twoNames(args);
  const [predicate, value] = args.length === 4 ? [args[2], args[3]!] : [undefined, args[2]!];
  const step = call(at, 'cel.@mapInsert', accu(at), { kind: 'ident', at, name: names.iterVar }, value);
  return { kind: 'comprehension', at, range, ...names, ...collect(at, emptyMap(at), step, predicate) };
};
const transformMapEntry: Expand = (at, range, args) => {
  const [predicate, entry] = args.length === 4 ? [args[2], args[3]!] : [undefined, args[2]!];
  const step = call(at, 'cel.@mapInsert', accu(at), entry);
  return { kind: 'comprehension', at, range, ...twoNames(args), ...collect(at, emptyMap(at), step, predicate) };
};

/** `optional.optMap(v, expr)`: expr with the value bound to v, in an optional; `optFlatMap`: expr is one already. */
const optional =
  (wrap: boolean): Expand =>
  (at, target, args) => {
    const name = variable(args[0]!, 'optMap() variable name must be a simple identifier');
    const bound: Expr = {
      kind: 'comprehension',
      at,
      does: 'bind',
      range: list(at),
      iterVar: '#unused',
      init: { kind: 'call', at, name: 'value', target, args: [] },
      condition: literal(at, false),
      step: { kind: 'ident', at, name },
      result: args[1]!,
      accuVar: name,
    };
    const value = wrap ? call(at, 'optional.of', bound) : bound;
    const hasValue: Expr = { kind: 'call', at, name: 'hasValue', target, args: [] };
    return call(at, '_?_:_', hasValue, value, call(at, 'optional.none'));
  };

/** `cel.bind(v, value, expr)`: expr with the value bound to v. */
const bind = (at: number, args: readonly Expr[]): Expr => {
  const name = variable(args[0]!, 'cel.bind() variable names must be simple identifiers');
  const step: Expr = { kind: 'ident', at, name };
  const unused = { does: 'bind', range: list(at), iterVar: '#unused', condition: literal(at, false) } as const;
  return { kind: 'comprehension', at, ...unused, accuVar: name, init: args[1]!, step, result: args[2]! };
};

const sortInput = '@__sortBy_input__';
/** `list.sortBy(x, key)`: the list bound to a name, sorted by the keys made of its elements. */
const sortBy: Expand = (at, target, args) => {
  if (target.kind === 'literal' || target.kind === 'map' || target.kind === 'struct') {
    throw new MacroError(target.at, 'sortBy can only be applied to a list, identifier, comprehension, call or select expression');
  }
  const input = (): Expr => ({ kind: 'ident', at, name: sortInput });
  return {
    kind: 'comprehension',
    at,
    does: 'bind',
    range: list(at),
    iterVar: '#unused',
    accuVar: sortInput,
    init: target,
    condition: literal(at, false),
    step: input(),
    result: { kind: 'call', at, name: '@sortByAssociatedKeys', target: input(), args: [map(at, input(), args)] },
  };
};

/** Macros called on something: by name and number of arguments. */
const receiverMacros = new Map<string, Expand>([
  ['all/2', oneVariable('all')],
  ['exists/2', oneVariable('exists')],
  ['exists_one/2', oneVariable('existsOne')],
  ['map/2', map],
  ['map/3', map],
  ['filter/2', filter],
  ['all/3', twoVariables('all')],
  ['exists/3', twoVariables('exists')],
  ['exists_one/3', twoVariables('existsOne')],
  ['existsOne/3', twoVariables('existsOne')],
  ['transformList/3', transformList],
  ['transformList/4', transformList],
  ['transformMap/3', transformMap],
  ['transformMap/4', transformMap],
  ['transformMapEntry/3', transformMapEntry],
  ['transformMapEntry/4', transformMapEntry],
  ['sortBy/2', sortBy],
  ['optMap/2', optional(true)],
  ['optFlatMap/2', optional(false)],
]);

/** What a call stands for if it is a macro; undefined if it is a plain call. Throws MacroError. */
export function expandMacro(
  at: number,
  { name, target, args }: { readonly name: string; readonly target: Expr | undefined; readonly args: readonly Expr[] },
  o: { readonly bindings: boolean },
): Expr | undefined {
  if (o.bindings && name === 'bind' && args.length === 3 && target?.kind === 'ident' && target.name === 'cel') return bind(at, args);
  if (target !== undefined) return receiverMacros.get(`${name}/${args.length}`)?.(at, target, args);
  if (name !== 'has' || args.length !== 1) return undefined;
  const [e] = args as [Expr];
  if (e.kind !== 'select') throw new MacroError(e.at, 'invalid argument to has() macro');
  return { kind: 'select', at, operand: e.operand, field: e.field, test: true };
}
