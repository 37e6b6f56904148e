/** Turns a checked expression into functions that compute it, counting what each step costs. */

import { accumulator, type Call, type Comprehension, type Expr } from './ast.ts';
import type { CheckedExpression } from './checker.ts';
import type { Environment } from './environment.ts';
import { callCost } from './cost-runtime.ts';
import { Frame, type Step, type Variables } from './frame.ts';
import { equal } from './equality.ts';
import { find, findOptional, has } from './select.ts';
import { choose, concrete, logic, makeMap, optionalOr, workOf } from './steps.ts';
import { ArrayList, CelError, CelList, CelMap, EntryMap, keyText, noSuchOverload, Optional, type Value, TypeValue } from './values.ts';

export interface Outcome {
  /** The result; a CelError when the expression failed. */
  readonly value: Value;
  readonly cost: number;
}

/** `limit`: in cost units; throws CostLimitExceeded when they are used up. */
export type Evaluate = (variables: Variables, limit: number) => Outcome;

export function plan(checked: CheckedExpression, environment: Environment): Evaluate {
  const step = new Planner(checked, environment).plan(checked.expr, undefined);
  return (variables, limit) => {
    const frame = new Frame(variables, limit);
    const value = step(frame);
    return { value, cost: frame.cost };
  };
}

interface Scope {
  readonly name: string;
  readonly slot: number;
  readonly outer: Scope | undefined;
}

class Planner {
  readonly #checked: CheckedExpression;
  readonly #environment: Environment;
  readonly #steps = new Map<Expr, Step>();
  #slots = 0;

  constructor(checked: CheckedExpression, environment: Environment) {
    this.#checked = checked;
    this.#environment = environment;
  }

  /** A node that stands at two places (`optMap`) is planned once. */
  plan(e: Expr, scope: Scope | undefined): Step {
    let step = this.#steps.get(e);
    if (step === undefined) {
      step = this.#make(e, scope);
      this.#steps.set(e, step);
    }
    return step;
  }

  #make(e: Expr, scope: Scope | undefined): Step {
    switch (e.kind) {
      case 'literal': {
        const { value } = e;
        return () => value;
      }
      case 'ident':
        return this.#name(e.name, scope);
      case 'select': {
        const name = this.#checked.names.get(e);
        if (name !== undefined) return this.#name(name, scope);
        const operand = this.plan(e.operand, scope);
        const { field } = e;
        if (e.test) return (f) => has(operand(f), field);
        return (f) => {
          const v = operand(f);
          f.charge(1);
          return find(v, field);
        };
      }
      case 'call':
        return this.#call(e, scope);
      case 'list':
        return this.#list(
          e.elements.map((x) => this.plan(x, scope)),
          e.optional,
        );
      case 'map': {
        const entries = e.entries.map((x) => ({ key: this.plan(x.key, scope), value: this.plan(x.value, scope), optional: x.optional }));
        return (f) => makeMap(f, entries);
      }
      case 'struct': {
        const definition = this.#environment.structs?.(e.name.startsWith('.') ? e.name.slice(1) : e.name);
        if (definition === undefined) throw new Error(`no type ${e.name}`);
        const fields = e.fields.map((x) => ({ name: x.name, value: this.plan(x.value, scope), optional: x.optional }));
        return (f) => {
          const values = new Map<string, Value>();
          for (const field of fields) {
            const v = field.value(f);
            if (v instanceof CelError) return v;
            if (!field.optional) values.set(field.name, v);
            else if (!(v instanceof Optional))
              return new CelError(`cannot initialize optional entry '${field.name}' from non-optional value`);
            else if (v.value !== undefined) values.set(field.name, v.value);
          }
          f.charge(40);
          return definition.create(values);
        };
      }
      case 'comprehension':
        return this.#comprehension(e, scope);
    }
  }

  #name(name: string, scope: Scope | undefined): Step {
    const plain = name.startsWith('.') ? name.slice(1) : name;
    for (let s = plain === name ? scope : undefined; s !== undefined; s = s.outer) {
      if (s.name !== name) continue;
      const { slot } = s;
      return (f) => {
        f.charge(1);
        return f.slots[slot]!;
      };
    }
    const type = this.#environment.variables.has(plain)
      ? undefined
      : (this.#environment.types.get(plain) ?? this.#environment.structs?.(plain)?.type);
    if (type !== undefined) {
      const value = new TypeValue(type);
      return () => value;
    }
    return (f) => {
      f.charge(1);
      return f.variable(plain);
    };
  }

  #call(e: Call, scope: Scope | undefined): Step {
    const name = this.#checked.names.get(e) ?? (e.name.startsWith('.') ? e.name.slice(1) : e.name);
    const target = e.target === undefined || this.#checked.names.has(e) ? undefined : this.plan(e.target, scope);
    const args = e.args.map((a) => this.plan(a, scope));
    const [a, b, c] = args as [Step, Step, Step];
    switch (name) {
      case '_&&_':
        return logic(args, false);
      case '_||_':
        return logic(args, true);
      case '_?_:_':
        return (f) => {
          const condition = a(f);
          if (condition === true) return b(f);
          if (condition === false) return c(f);
          return condition instanceof CelError ? condition : noSuchOverload;
        };
      case '_?._':
        return (f) => {
          const v = a(f);
          f.charge(1);
          return findOptional(v, (e.args[1] as { value: string }).value);
        };
      case '_[_]':
      case '_[?_]': {
        const get = name === '_[_]' ? find : findOptional;
        return (f) => {
          const v = a(f);
          if (v instanceof CelError) return v;
          const key = b(f);
          f.charge(1);
          return key instanceof CelError ? key : get(v, key);
        };
      }
      case 'or':
      case 'orValue':
        if (target !== undefined) return optionalOr(target, a, name === 'orValue');
        break;
      case '_==_':
      case '_!=_': {
        const wanted = name === '_==_';
        return (f) => {
          const x = a(f);
          if (x instanceof CelError) return x;
          const y = b(f);
          if (y instanceof CelError) return y;
          f.charge(callCost(wanted ? '_==_' : '_!=_', wanted ? 'equals' : 'not_equals', [x, y], { result: undefined, context: f }));
          return equal(x, y, (n) => f.work(n)) === wanted;
        };
      }
    }
    return this.#overloaded(name, target === undefined ? args : [target, ...args], e);
  }

  #overloaded(name: string, args: readonly Step[], e: Call): Step {
    const overloads = this.#checked.overloads.get(e)!;
    const operands = e.target === undefined || this.#checked.names.has(e) ? e.args : [e.target, ...e.args];
    const id = overloads.length === 1 ? overloads[0]!.id : '';
    // Where the checker knows the types, they need no second look.
    const certain = overloads.length === 1 && operands.every((o) => concrete(this.#checked.types.get(o)!));
    const only = overloads[0]!;
    return (f) => {
      const values: Value[] = [];
      for (const arg of args) {
        const v = arg(f);
        if (v instanceof CelError) return v;
        values.push(v);
      }
      const chosen = certain ? only : choose(overloads, values);
      if (chosen === undefined) {
        f.charge(1);
        return noSuchOverload;
      }
      if (name === 'join') {
        const result = chosen.run(values, f);
        f.charge(callCost(name, id, values, { result, context: f }));
        return result;
      }
      f.charge(callCost(name, id, values, { result: undefined, context: f }));
      f.work(workOf(name, values));
      return chosen.run(values, f);
    };
  }

  #list(elements: readonly Step[], optional: ReadonlySet<number>): Step {
    return (f) => {
      const values: Value[] = [];
      for (let i = 0; i < elements.length; i++) {
        const v = elements[i]!(f);
        if (v instanceof CelError) return v;
        if (!optional.has(i)) values.push(v);
        else if (!(v instanceof Optional)) return new CelError('cannot initialize optional list element from non-optional value');
        else if (v.value !== undefined) values.push(v.value);
      }
      f.charge(10);
      return new ArrayList(values);
    };
  }

  #comprehension(e: Comprehension, scope: Scope | undefined): Step {
    if (e.does === 'bind') {
      const slot = this.#slots++;
      const init = this.plan(e.init, scope);
      const result = this.plan(e.result, { name: e.accuVar ?? accumulator, slot, outer: scope });
      return (f) => {
        f.charge(10);
        f.slots[slot] = init(f);
        return result(f);
      };
    }
    const slot = this.#slots;
    this.#slots += 2;
    let inner: Scope = { name: e.iterVar, slot, outer: scope };
    if (e.iterVar2 !== undefined) inner = { name: e.iterVar2, slot: slot + 1, outer: inner };
    const range = this.plan(e.range, scope);
    const twoNames = e.iterVar2 !== undefined;
    const body = this.#body(e, inner);
    return (f) => {
      const r = range(f);
      if (r instanceof CelError) return r;
      if (!(r instanceof CelList) && !(r instanceof CelMap)) return noSuchOverload;
      if (e.does === 'collectList') f.charge(10);
      if (e.does === 'collectMap') f.charge(30);
      const turn = body(f);
      const keys = r instanceof CelMap ? r.keys() : undefined;
      const size = keys?.length ?? r.size;
      for (let i = 0; i < size; i++) {
        if (keys !== undefined) {
          f.slots[slot] = keys[i]!;
          if (twoNames) f.slots[slot + 1] = (r as CelMap).find(keys[i]!) ?? null;
        } else if (twoNames) {
          f.slots[slot] = BigInt(i);
          f.slots[slot + 1] = (r as CelList).at(i);
        } else f.slots[slot] = (r as CelList).at(i);
        if (!turn.next()) break;
      }
      f.charge(1);
      return turn.result();
    };
  }

  /** One round of the loop: false ends it. The charges are those of the fold that the macro stands for. */
  #body(e: Comprehension, scope: Scope): (f: Frame) => { next(): boolean; result(): Value } {
    const stepCall = e.step as Call;
    if (e.does === 'all' || e.does === 'exists') {
      const ends = e.does === 'exists';
      const predicate = this.plan(stepCall.args[1]!, scope);
      const overhead = ends ? 4 : 3;
      return (f) => {
        let state: Value = !ends;
        return {
          next() {
            f.charge(overhead);
            const v = predicate(f);
            if (v === ends) state = ends;
            else if (v !== !ends && !(state instanceof CelError)) state = v instanceof CelError ? v : noSuchOverload;
            return state !== ends;
          },
          result: () => state,
        };
      };
    }
    const isFiltered = stepCall.name === '_?_:_';
    const filter = isFiltered ? this.plan(stepCall.args[0]!, scope) : undefined;
    const step = (isFiltered ? stepCall.args[1]! : stepCall) as Call;
    if (e.does === 'existsOne') {
      return (f) => {
        let count = 0;
        let failed: Value | undefined;
        return {
          next() {
            f.charge(1);
            const v = filter!(f);
            if (v === true) count++;
            else if (v !== false) failed = v instanceof CelError ? v : noSuchOverload;
            return failed === undefined;
          },
          result: () => failed ?? count === 1,
        };
      };
    }
    const collect = e.does === 'collectList' ? this.#collectList(step, scope) : this.#collectMap(step, scope);
    return (f) => {
      let failed: Value | undefined;
      const collector = collect(f);
      return {
        next() {
          const wanted = filter === undefined ? true : filter(f);
          if (wanted === true) failed = collector.add();
          else if (wanted === false) f.charge(1);
          else failed = wanted instanceof CelError ? wanted : noSuchOverload;
          return failed === undefined;
        },
        result: () => failed ?? collector.result(),
      };
    };
  }

  #collectList(step: Call, scope: Scope): (f: Frame) => { add(): Value | undefined; result(): Value } {
    const [element] = (step.args[1] as { elements: readonly Expr[] }).elements as [Expr];
    const value = this.plan(element, scope);
    return (f) => {
      const values: Value[] = [];
      return {
        add() {
          f.charge(12);
          const v = value(f);
          if (v instanceof CelError) return v;
          values.push(v);
          return undefined;
        },
        result: () => new ArrayList(values),
      };
    };
  }

  #collectMap(step: Call, scope: Scope): (f: Frame) => { add(): Value | undefined; result(): Value } {
    const parts = step.args.slice(1).map((a) => this.plan(a, scope));
    return (f) => {
      const entries = new Map<string, { key: Value; value: Value }>();
      const insert = (key: Value, value: Value): CelError | undefined => {
        const text = keyText(key);
        if (text === undefined) return new CelError('unsupported key type');
        if (entries.has(text)) return new CelError(`insert failed: key ${text.slice(1)} already exists`);
        entries.set(text, { key, value });
        return undefined;
      };
      return {
        add() {
          f.charge(2);
          const values = parts.map((p) => p(f));
          const bad = values.find((v) => v instanceof CelError);
          if (bad !== undefined) return bad;
          if (values.length === 2) return insert(values[0]!, values[1]!);
          const [m] = values;
          if (!(m instanceof CelMap)) return noSuchOverload;
          for (const key of m.keys()) {
            const failed = insert(key, m.find(key) ?? null);
            if (failed !== undefined) return failed;
          }
          return undefined;
        },
        result: () => new EntryMap(entries),
      };
    };
  }
}
