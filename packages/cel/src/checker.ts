import { accumulator, type Call, type Comprehension, type Expr, qualifiedName, type Select, type StructLiteral } from './ast.ts';
import type { Environment, FunctionDeclaration, Overload } from './environment.ts';
import type { Issue } from './source.ts';
import {
  boolType,
  type CelType,
  dynType,
  errorType,
  fieldOf,
  formatType,
  intType,
  isDynOrError,
  isOptional,
  listOf,
  mapOf,
  optionalOf,
  sameType,
  stringType,
  bytesType,
  doubleType,
  nullType,
  typeOf,
  uintType,
} from './types.ts';
import { moreGeneral, Substitutions, typeSize } from './unify.ts';
import { Uint } from './values.ts';

/** What the checker found out about an expression. Calls that may be of several overloads have them all. */
export interface CheckedExpression {
  readonly expr: Expr;
  readonly type: CelType;
  readonly types: ReadonlyMap<Expr, CelType>;
  readonly overloads: ReadonlyMap<Expr, readonly Overload[]>;
  /** Selections that are names of variables (`authorizer.requestResource`), and calls of functions with dots in their names. */
  readonly names: ReadonlyMap<Expr, string>;
}

interface Scope {
  readonly variables: ReadonlyMap<string, CelType>;
  readonly outer: Scope | undefined;
}

/** Types with more nodes than this are refused: they grow exponentially with the expression. */
const maxTypeSize = 2000;

export function check(expr: Expr, environment: Environment): { readonly checked: CheckedExpression; readonly issues: readonly Issue[] } {
  const checker = new Checker(environment);
  checker.check(expr);
  return { checked: checker.finish(expr), issues: checker.issues };
}

const unwrapOptional = (t: CelType): CelType => (isOptional(t) ? t.parameters[0]! : t);

class Checker {
  readonly issues: Issue[] = [];
  readonly #environment: Environment;
  readonly #types = new Map<Expr, CelType>();
  readonly #overloads = new Map<Expr, readonly Overload[]>();
  readonly #names = new Map<Expr, string>();
  readonly #substitutions = new Substitutions();
  #scope: Scope | undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  finish(expr: Expr): CheckedExpression {
    if (this.issues.length === 0) for (const [e, t] of this.#types) this.#types.set(e, this.#substitutions.apply(t, true));
    return { expr, type: this.#types.get(expr)!, types: this.#types, overloads: this.#overloads, names: this.#names };
  }

  #report(at: number, message: string): CelType {
    this.issues.push({ at, message });
    return errorType;
  }

  /** Names may be written with a leading dot, which skips the variables of macros. */
  #lookup(name: string): CelType | undefined {
    const plain = name.startsWith('.') ? name.slice(1) : name;
    if (plain === name) {
      for (let s = this.#scope; s !== undefined; s = s.outer) {
        const t = s.variables.get(name);
        if (t !== undefined) return t;
      }
    }
    const variable = this.#environment.variables.get(plain);
    if (variable !== undefined) return variable;
    const type = this.#environment.types.get(plain) ?? this.#environment.structs?.(plain)?.type;
    return type === undefined ? undefined : typeOf(type);
  }

  check(e: Expr): CelType {
    const known = this.#types.get(e);
    if (known !== undefined) return known;
    let t = this.#infer(e);
    if (typeSize(t) > maxTypeSize) t = this.#report(e.at, 'the type of the expression is too large');
    this.#types.set(e, t);
    return t;
  }

  #infer(e: Expr): CelType {
    switch (e.kind) {
      case 'literal':
        return literalType(e.value);
      case 'ident':
        return this.#lookup(e.name) ?? this.#report(e.at, `undeclared reference to '${e.name}' (in container '')`);
      case 'select':
        return this.#select(e);
      case 'call':
        return this.#call(e);
      case 'list': {
        let element: CelType | undefined;
        e.elements.forEach((item, i) => {
          element = this.#join(element, this.#entryType(item, e.optional.has(i)));
        });
        return listOf(element ?? this.#substitutions.fresh());
      }
      case 'map': {
        let key: CelType | undefined;
        let value: CelType | undefined;
        for (const entry of e.entries) {
          key = this.#join(key, this.check(entry.key));
          value = this.#join(value, this.#entryType(entry.value, entry.optional));
        }
        return mapOf(key ?? this.#substitutions.fresh(), value ?? this.#substitutions.fresh());
      }
      case 'struct':
        return this.#struct(e);
      case 'comprehension':
        return this.#comprehension(e);
    }
  }

  #entryType(e: Expr, optional: boolean): CelType {
    const t = this.check(e);
    if (!optional) return t;
    if (!isOptional(t) && t.kind !== 'dyn') this.#mismatch(e.at, optionalOf(t), t);
    return unwrapOptional(t);
  }

  #mismatch(at: number, expected: CelType, found: CelType): CelType {
    return this.#report(at, `expected type '${formatType(expected)}' but found '${formatType(found)}'`);
  }

  #join(before: CelType | undefined, t: CelType): CelType {
    if (before === undefined) return t;
    return this.#substitutions.assignable([before], [t]) ? moreGeneral(before, t) : dynType;
  }

  #select(e: Select): CelType {
    if (!e.test) {
      const name = qualifiedName(e);
      const t = name === undefined ? undefined : this.#lookup(name);
      if (t !== undefined) {
        this.#names.set(e, name!);
        return t;
      }
    }
    const field = this.#field(e, e.operand, e.field, false);
    return e.test ? boolType : this.#substitutions.apply(field);
  }

  #field(e: Expr, operand: Expr, field: string, optional: boolean): CelType {
    const operandType = this.#substitutions.apply(this.check(operand));
    const target = unwrapOptional(operandType);
    let result: CelType = dynType;
    if (target.kind === 'map') result = target.value;
    else if (target.kind === 'object') {
      result = fieldOf(target, field)?.type ?? this.#report(e.at, `undefined field '${field}'`);
    } else if (target.kind === 'param') this.#substitutions.assignable([dynType], [target]);
    else if (!isDynOrError(target)) this.#report(e.at, `type '${formatType(target)}' does not support field selection`);
    return optional || target !== operandType ? optionalOf(result) : result;
  }

  #call(e: Call): CelType {
    if (e.name === '_?._') {
      const [operand, field] = e.args as [Expr, Expr];
      return this.#substitutions.apply(this.#field(e, operand, (field as { value: string }).value, true));
    }
    for (const a of e.args) this.check(a);
    if (e.target === undefined) {
      const f = this.#function(e.name);
      return f === undefined ? this.#undeclared(e) : this.#resolve(e, f, undefined);
    }
    const prefix = qualifiedName(e.target);
    const namespaced = prefix === undefined ? undefined : this.#function(`${prefix}.${e.name}`);
    if (namespaced !== undefined) {
      this.#names.set(e, namespaced.name);
      return this.#resolve(e, namespaced, undefined);
    }
    this.check(e.target);
    const f = this.#function(e.name);
    return f === undefined ? this.#undeclared(e) : this.#resolve(e, f, e.target);
  }
  #function(name: string): FunctionDeclaration | undefined {
    return this.#environment.functions.get(name.startsWith('.') ? name.slice(1) : name);
  }
  #undeclared(e: Call): CelType {
    return this.#report(e.at, `undeclared reference to '${e.name}' (in container '')`);
  }

  #resolve(e: Call, f: FunctionDeclaration, target: Expr | undefined): CelType {
    const args = (target === undefined ? e.args : [target, ...e.args]).map((a) => this.#types.get(a)!);
    if (f.name === '_&&_' || f.name === '_||_') return this.#logic(e, args);
    const fitting: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of f.overloads) {
      if (overload.member !== (target !== undefined)) continue;
      const { args: wanted, result: given } = this.#instantiate(overload);
      if (!this.#substitutions.assignable(args, wanted)) continue;
      fitting.push(overload);
      const t = this.#substitutions.apply(given);
      if (result === undefined) result = t;
      else if (result.kind !== 'dyn' && !sameType(t, result)) result = dynType;
    }
    if (result === undefined) {
      const shown = args.map((a) => formatType(this.#substitutions.apply(a, true)));
      const signature = target === undefined ? `(${shown.join(', ')})` : `${shown[0]}.(${shown.slice(1).join(', ')})`;
      return this.#report(e.at, `found no matching overload for '${f.name}' applied to '${signature}'`);
    }
    this.#overloads.set(e, fitting);
    return result;
  }

  #logic(e: Call, args: readonly CelType[]): CelType {
    let failed = false;
    args.forEach((t, i) => {
      if (this.#substitutions.assignable([t], [boolType])) return;
      this.#mismatch(e.args[i]!.at, boolType, t);
      failed = true;
    });
    if (failed) return errorType;
    this.#overloads.set(e, this.#environment.functions.get(e.name)!.overloads);
    return boolType;
  }

  #instantiate(o: Overload): { args: readonly CelType[]; result: CelType } {
    if (!parametric(o)) return o;
    const fresh = new Map<string, CelType>();
    const replace = (t: CelType): CelType => {
      switch (t.kind) {
        case 'param': {
          const known = fresh.get(t.name) ?? this.#substitutions.fresh();
          fresh.set(t.name, known);
          return known;
        }
        case 'list':
          return listOf(replace(t.element));
        case 'map':
          return mapOf(replace(t.key), replace(t.value));
        case 'opaque':
          return { ...t, parameters: t.parameters.map(replace) };
        case 'type':
          return typeOf(t.of === undefined ? undefined : replace(t.of));
        default:
          return t;
      }
    };
    return { args: o.args.map(replace), result: replace(o.result) };
  }

  #struct(e: StructLiteral): CelType {
    const name = e.name.startsWith('.') ? e.name.slice(1) : e.name;
    const definition = this.#environment.structs?.(name);
    if (definition === undefined) {
      return this.#noStruct(e);
    }
    for (const f of e.fields) {
      const value = this.check(f.value);
      const wanted = definition.fieldType(f.name) ?? this.#report(f.at, `undefined field '${f.name}'`);
      const given = f.optional ? this.#entryType(f.value, true) : value;
      if (!this.#substitutions.assignable([wanted], [given])) {
        this.#report(f.at, `expected type of field '${f.name}' is '${formatType(wanted)}' but provided type is '${formatType(given)}'`);
      }
    }
    return definition.type;
  }

  #noStruct(e: StructLiteral): CelType {
    const known = this.#lookup(e.name);
    if (known === undefined) return this.#report(e.at, `undeclared reference to '${e.name}' (in container '')`);
    if (known.kind !== 'type') this.#report(e.at, `'${formatType(known)}' is not a type`);
    else this.#report(e.at, `'${known.of === undefined ? 'type' : formatType(known.of)}' is not a message type`);
    for (const f of e.fields) {
      this.check(f.value);
      this.#report(f.at, known.kind === 'type' ? `undefined field '${f.name}'` : `unexpected failed resolution of '${e.name}'`);
    }
    return errorType;
  }

  #comprehension(e: Comprehension): CelType {
    const range = this.#substitutions.apply(this.check(e.range));
    const accu = this.check(e.init);
    const before = this.#scope;
    const outer: Scope = { variables: new Map([[e.accuVar ?? accumulator, accu]]), outer: before };
    const [first, second] = this.#iterationTypes(e, range);
    const inner = new Map([[e.iterVar, first]]);
    if (e.iterVar2 !== undefined) inner.set(e.iterVar2, second);
    this.#scope = { variables: inner, outer };
    this.check(e.condition);
    this.#assert(e.condition, boolType);
    this.check(e.step);
    this.#assert(e.step, accu);
    this.#scope = outer;
    const result = this.check(e.result);
    this.#scope = before;
    return this.#substitutions.apply(result);
  }
  #assert(e: Expr, wanted: CelType): void {
    const t = this.#types.get(e)!;
    if (!this.#substitutions.assignable([wanted], [t])) this.#mismatch(e.at, wanted, t);
  }

  #iterationTypes(e: Comprehension, range: CelType): readonly [CelType, CelType] {
    switch (range.kind) {
      case 'list':
        return e.iterVar2 === undefined ? [range.element, errorType] : [intType, range.element];
      case 'map':
        return [range.key, range.value];
      case 'dyn':
      case 'error':
      case 'param':
        this.#substitutions.assignable([dynType], [range]);
        return [dynType, dynType];
      default:
        this.#report(
          e.range.at,
          `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        );
        return [errorType, errorType];
    }
  }
}

function literalType(v: unknown): CelType {
  if (v === null) return nullType;
  if (typeof v === 'boolean') return boolType;
  if (typeof v === 'bigint') return intType;
  if (typeof v === 'number') return doubleType;
  if (typeof v === 'string') return stringType;
  return v instanceof Uint ? uintType : bytesType;
}

const hasParameters = (t: CelType): boolean =>
  t.kind === 'param' ||
  (t.kind === 'list' && hasParameters(t.element)) ||
  (t.kind === 'map' && (hasParameters(t.key) || hasParameters(t.value))) ||
  (t.kind === 'opaque' && t.parameters.some(hasParameters)) ||
  (t.kind === 'type' && t.of !== undefined && hasParameters(t.of));
const parametricOverloads = new WeakMap<Overload, boolean>();
function parametric(o: Overload): boolean {
  let known = parametricOverloads.get(o);
  if (known === undefined) {
    known = hasParameters(o.result) || o.args.some(hasParameters);
    parametricOverloads.set(o, known);
  }
  return known;
}
