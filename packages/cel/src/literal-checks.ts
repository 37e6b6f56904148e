/** Faults of literals that would only show at run time: durations, times, patterns, and lists or maps of mixed types. */

import type { Expr } from './ast.ts';
import type { CheckedExpression } from './checker.ts';
import { checkFormat } from './library/format-text.ts';
import { fits } from './fits.ts';
import { standardFunctions } from './standard.ts';
import { compileRegex } from './regex.ts';
import type { Issue } from './source.ts';
import { type CelType, formatType, isOptional, sameType } from './types.ts';
import { CelError, type Value } from './values.ts';

const uncounted = { charge: () => undefined, work: () => undefined };
function converts(name: 'duration' | 'timestamp', v: Value): boolean {
  // There is no duration of a number, whatever the declarations say.
  if (typeof v !== 'string' && name === 'duration') return false;
  const overload = standardFunctions.get(name)!.overloads.find((o) => fits(o.args[0]!, v));
  return overload !== undefined && !(overload.run([v], uncounted) instanceof CelError);
}

export function validateLiterals(checked: CheckedExpression): readonly Issue[] {
  const issues: Issue[] = [];
  const free = formatArguments(checked);
  for (const e of checked.types.keys()) {
    if (e.kind === 'call') checkCall(e, checked, issues);
    else if (free.has(e)) continue;
    else if (e.kind === 'list') {
      homogeneous(
        e.elements.map((x, i) => ({ at: x.at, type: element(checked.types.get(x)!, e.optional.has(i)) })),
        issues,
      );
    } else if (e.kind === 'map') {
      homogeneous(
        e.entries.map((x) => ({ at: x.key.at, type: checked.types.get(x.key)! })),
        issues,
      );
      homogeneous(
        e.entries.map((x) => ({ at: x.value.at, type: element(checked.types.get(x.value)!, x.optional) })),
        issues,
      );
    }
  }
  return issues;
}

/** What stands below a call of `format`, whose arguments may be of any types. */
function formatArguments(checked: CheckedExpression): ReadonlySet<Expr> {
  const found = new Set<Expr>();
  const visit = (e: Expr): void => {
    if (found.has(e)) return;
    found.add(e);
    if (e.kind === 'list') e.elements.forEach(visit);
    else if (e.kind === 'map') e.entries.forEach((x) => [x.key, x.value].forEach(visit));
    else if (e.kind === 'call') e.args.forEach(visit);
  };
  for (const e of checked.types.keys()) if (e.kind === 'call' && e.name === 'format') e.args.forEach(visit);
  return found;
}

const element = (t: CelType, optional: boolean): CelType => (optional && isOptional(t) ? t.parameters[0]! : t);

function checkCall(e: Expr & { kind: 'call' }, checked: CheckedExpression, issues: Issue[]): void {
  if (e.name === 'format' && e.target?.kind === 'literal') checkFormatCall(e, checked, issues);
  const invalid = (at: number) => issues.push({ at, message: `invalid ${e.name} argument` });
  if ((e.name === 'duration' || e.name === 'timestamp') && e.target === undefined) {
    const [a] = e.args;
    if (a?.kind === 'literal' && !converts(e.name, a.value)) invalid(a.at);
  } else if (e.name === 'matches') {
    const a = e.target === undefined ? e.args[1] : e.args[0];
    if (a?.kind === 'literal' && typeof a.value === 'string' && compileRegex(a.value) instanceof CelError) invalid(a.at);
  }
}

const conversions = new Set(['bool', 'bytes', 'double', 'duration', 'int', 'string', 'timestamp', 'uint']);
/** The error of a conversion of a literal, or of a pattern, that can't but fail. */
export function constantError(checked: CheckedExpression): string | undefined {
  for (const e of checked.types.keys()) {
    if (e.kind !== 'call') continue;
    const [a] = e.args;
    if (a?.kind !== 'literal') continue;
    if (e.target === undefined && conversions.has(e.name)) {
      const value = checked.overloads.get(e)?.[0]?.run([a.value], uncounted);
      if (value instanceof CelError) return value.message;
    } else if (e.target !== undefined && (e.name === 'find' || e.name === 'findAll') && typeof a.value === 'string') {
      const regex = compileRegex(a.value);
      if (regex instanceof CelError) return regex.message;
    }
  }
  return undefined;
}

function checkFormatCall(e: Expr & { kind: 'call' }, checked: CheckedExpression, issues: Issue[]): void {
  const [list] = e.args;
  if (e.target?.kind !== 'literal' || typeof e.target.value !== 'string' || list?.kind !== 'list') return;
  const bad = checkFormat(
    e.target.value,
    list.elements.map((x) => checked.types.get(x)!),
  );
  if (bad === undefined) return;
  issues.push({ at: bad.argument === undefined ? e.at : list.elements[bad.argument]!.at, message: bad.message });
}

function homogeneous(items: readonly { at: number; type: CelType }[], issues: Issue[]): void {
  const first = items[0]?.type;
  const odd = first === undefined ? undefined : items.find((i) => !sameType(i.type, first));
  if (odd === undefined) return;
  issues.push({ at: odd.at, message: `expected type '${formatType(first!)}' but found '${formatType(odd.type)}'` });
}
