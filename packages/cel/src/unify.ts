import { type CelType, isDynOrError, listOf, mapOf, sameType, type TypeParameter, typeOf } from './types.ts';

const nullable = new Set<CelType['kind']>(['opaque', 'object', 'any', 'duration', 'timestamp']);

/** What type parameters stand for, so far. Trials that fail leave no trace. */
export class Substitutions {
  readonly #bound = new Map<string, CelType>();
  readonly #undo: (readonly [string, CelType | undefined])[] = [];
  #free = 0;

  fresh(): TypeParameter {
    return { kind: 'param', name: `_var${this.#free++}` };
  }

  #bind(p: TypeParameter, to: CelType): void {
    this.#undo.push([p.name, this.#bound.get(p.name)]);
    this.#bound.set(p.name, to);
  }

  /** Whether each of `from` can stand where `to` is wanted; parameters are bound if so. */
  assignable(from: readonly CelType[], to: readonly CelType[]): boolean {
    const mark = this.#undo.length;
    if (from.length === to.length && from.every((f, i) => this.#assign(f, to[i]!))) {
      if (mark === 0) this.#undo.length = 0;
      return true;
    }
    while (this.#undo.length > mark) {
      const [name, before] = this.#undo.pop()!;
      if (before === undefined) this.#bound.delete(name);
      else this.#bound.set(name, before);
    }
    return false;
  }

  #assign(a: CelType, b: CelType): boolean {
    if (b.kind === 'param') {
      const outcome = this.#substitutes(a, b);
      if (outcome !== 'unfit') return outcome === 'yes';
    }
    if (a.kind === 'param') return this.#substitutes(b, a) === 'yes';
    if (isDynOrError(a) || isDynOrError(b)) return true;
    if (a.kind === 'null') return b.kind === 'null' || nullable.has(b.kind);
    if (b.kind === 'null') return nullable.has(a.kind);
    switch (a.kind) {
      case 'list':
        return b.kind === 'list' && this.#assign(a.element, b.element);
      case 'map':
        return b.kind === 'map' && this.#assign(a.key, b.key) && this.#assign(a.value, b.value);
      case 'opaque':
        return (
          b.kind === 'opaque' &&
          a.name === b.name &&
          a.parameters.length === b.parameters.length &&
          a.parameters.every((p, i) => this.#assign(p, b.parameters[i]!))
        );
      case 'type':
        return b.kind === 'type';
      default:
        return sameType(a, b);
    }
  }

  /** Whether `t` can be what parameter `p` stands for. `unfit`: nothing is known of `p`, but `t` contains it. */
  #substitutes(t: CelType, p: TypeParameter): 'yes' | 'no' | 'unfit' {
    if (t.kind === 'param' && t.name === p.name) return 'yes';
    const bound = this.#bound.get(p.name);
    if (bound !== undefined) {
      if (sameType(t, bound)) return 'yes';
      if (!this.#assign(t, bound)) return 'no';
      const general = moreGeneral(t, bound);
      if (!this.#occurs(p, general)) this.#bind(p, general);
      return 'yes';
    }
    if (this.#occurs(p, t)) return 'unfit';
    this.#bind(p, t);
    return 'yes';
  }

  #occurs(p: TypeParameter, t: CelType): boolean {
    switch (t.kind) {
      case 'param': {
        if (t.name === p.name) return true;
        const bound = this.#bound.get(t.name);
        return bound !== undefined && this.#occurs(p, bound);
      }
      case 'list':
        return this.#occurs(p, t.element);
      case 'map':
        return this.#occurs(p, t.key) || this.#occurs(p, t.value);
      case 'opaque':
        return t.parameters.some((q) => this.#occurs(p, q));
      case 'type':
        return t.of !== undefined && this.#occurs(p, t.of);
      default:
        return false;
    }
  }

  /** `t` with what its parameters stand for; `final`: unbound ones become dyn. */
  apply(t: CelType, final = false): CelType {
    switch (t.kind) {
      case 'param': {
        const bound = this.#bound.get(t.name);
        if (bound !== undefined) return this.apply(bound, final);
        return final ? { kind: 'dyn' } : t;
      }
      case 'list': {
        const element = this.apply(t.element, final);
        return element === t.element ? t : { ...t, ...listOf(element) };
      }
      case 'map': {
        const [key, value] = [this.apply(t.key, final), this.apply(t.value, final)];
        return key === t.key && value === t.value ? t : { ...t, ...mapOf(key, value) };
      }
      case 'opaque': {
        const parameters = t.parameters.map((p) => this.apply(p, final));
        return parameters.every((p, i) => p === t.parameters[i]) ? t : { ...t, parameters };
      }
      case 'type':
        return t.of === undefined ? t : typeOf(this.apply(t.of, final));
      default:
        return t;
    }
  }
}

function atMostAsSpecific(a: CelType, b: CelType): boolean {
  if (a.kind === 'dyn' || a.kind === 'param') return true;
  if (b.kind === 'dyn' || b.kind === 'param') return false;
  if (a.kind === 'list') return b.kind === 'list' && atMostAsSpecific(a.element, b.element);
  if (a.kind === 'map') return b.kind === 'map' && atMostAsSpecific(a.key, b.key) && atMostAsSpecific(a.value, b.value);
  if (a.kind === 'opaque' && b.kind === 'opaque') {
    return a.name === b.name && a.parameters.every((p, i) => b.parameters[i] !== undefined && atMostAsSpecific(p, b.parameters[i]));
  }
  return a.kind === 'type' ? b.kind === 'type' : sameType(a, b);
}

/** The more general of two types that unify. */
export const moreGeneral = (a: CelType, b: CelType): CelType => (atMostAsSpecific(a, b) ? a : b);

const sizes = new WeakMap<CelType, number>();
/** How many nodes a type has, shared ones counted each time. */
export function typeSize(t: CelType): number {
  if (t.kind !== 'list' && t.kind !== 'map' && t.kind !== 'opaque') return 1;
  let size = sizes.get(t);
  if (size === undefined) {
    const below = t.kind === 'list' ? [t.element] : t.kind === 'map' ? [t.key, t.value] : t.parameters;
    size = below.reduce((n, b) => n + typeSize(b), 1);
    sizes.set(t, size);
  }
  return size;
}
