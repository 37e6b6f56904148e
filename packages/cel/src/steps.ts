/** Steps of evaluation that need no plan of their own. */

import type { Overload } from './environment.ts';
import { fits } from './fits.ts';
import type { Frame, Step } from './frame.ts';
import { type CelType, isDynOrError } from './types.ts';
import { CelError, CelList, codePoints, EntryMap, keyText, noSuchOverload, Optional, Timestamp, type Value } from './values.ts';

export const choose = (overloads: readonly Overload[], values: readonly Value[]): Overload | undefined =>
  overloads.find((o) => o.args.length === values.length && o.args.every((t, i) => fits(t, values[i]!)));

export function concrete(t: CelType): boolean {
  if (isDynOrError(t) || t.kind === 'param' || t.kind === 'any' || t.kind === 'null') return false;
  if (t.kind === 'list') return concrete(t.element);
  return t.kind === 'opaque' ? t.parameters.every(concrete) : true;
}

const walks = new Set(['optional.unwrap', 'unwrapOpt']);
/** What a call takes, counted in elements, where it takes far more than it costs. */
export function workOf(name: string, values: readonly Value[]): number {
  const [first] = values;
  if (walks.has(name)) return first instanceof CelList ? first.size : 0;
  if (typeof first === 'string') {
    const reads = name === 'isURL' || (name === 'charAt' && codePoints(first) !== first.length);
    return reads ? first.length / 32 : 0;
  }
  // A time in a zone.
  return first instanceof Timestamp && typeof values[1] === 'string' ? 100 : 0;
}

export function logic(terms: readonly Step[], decisive: boolean): Step {
  return (f) => {
    let failed: CelError | undefined;
    for (const term of terms) {
      const v = term(f);
      if (v === decisive) return decisive;
      if (v !== !decisive) failed ??= v instanceof CelError ? v : noSuchOverload;
    }
    return failed ?? !decisive;
  };
}

export function optionalOr(target: Step, other: Step, unwrap: boolean): Step {
  return (f) => {
    const v = target(f);
    if (v instanceof CelError) return v;
    if (!(v instanceof Optional)) return noSuchOverload;
    f.charge(1);
    if (v.value === undefined) return other(f);
    return unwrap ? v.value : v;
  };
}

export function makeMap(f: Frame, entries: readonly { key: Step; value: Step; optional: boolean }[]): Value {
  const made = new Map<string, { key: Value; value: Value }>();
  for (const entry of entries) {
    const key = entry.key(f);
    if (key instanceof CelError) return key;
    let value = entry.value(f);
    if (value instanceof CelError) return value;
    if (entry.optional) {
      if (!(value instanceof Optional)) return new CelError(`cannot initialize optional entry '${String(key)}' from non-optional value`);
      if (value.value === undefined) continue;
      value = value.value;
    }
    const text = keyText(key);
    if (text === undefined) return new CelError('unsupported key type');
    made.set(text, { key, value });
  }
  f.charge(30);
  return new EntryMap(made);
}
