import { check, type CheckedExpression } from './checker.ts';
import type { Environment } from './environment.ts';
import { type Evaluate, plan } from './evaluate.ts';
import { constantError, validateLiterals } from './literal-checks.ts';
import { parse } from './parser.ts';
import { formatIssues, type Issue } from './source.ts';
import { type CelType, formatType, isDynOrError, sameType } from './types.ts';

/** An expression that can be evaluated, any number of times. */
export interface Program {
  readonly expression: string;
  readonly type: CelType;
  readonly checked: CheckedExpression;
  /** Pure, synchronous; throws CostLimitExceeded. */
  readonly evaluate: Evaluate;
}

export type Compiled =
  | { readonly program: Program; readonly error: undefined }
  /** `error` is upstream's text: `compilation failed: ERROR: <input>:1:1: …`, or `must evaluate to bool`. */
  | { readonly program: undefined; readonly error: string };

/**
 * Parses, checks and plans an expression. `expect`: the types that it may have; dyn fits always (and is judged at run time).
 */
export function compile(expression: string, environment: Environment, expect?: readonly CelType[]): Compiled {
  const failed = (issues: readonly Issue[]): Compiled => ({
    program: undefined,
    error: `compilation failed: ${formatIssues(expression, issues)}`,
  });
  const parsed = parse(expression, { bindings: environment.bindings === true });
  if (parsed.expr === undefined) return failed(parsed.issues);
  const { checked, issues } = check(parsed.expr, environment);
  if (issues.length > 0) return failed(issues);
  const literals = validateLiterals(checked);
  if (literals.length > 0) return failed(literals);
  const constant = constantError(checked);
  if (constant !== undefined) return { program: undefined, error: `program instantiation failed: ${constant}` };
  if (expect !== undefined && !isDynOrError(checked.type) && !expect.some((t) => sameType(t, checked.type))) {
    const wanted = expect.map(formatType);
    return {
      program: undefined,
      error: wanted.length === 1 ? `must evaluate to ${wanted[0]}` : `must evaluate to one of [${wanted.join(' ')}]`,
    };
  }
  return { program: { expression, type: checked.type, checked, evaluate: plan(checked, environment) }, error: undefined };
}
