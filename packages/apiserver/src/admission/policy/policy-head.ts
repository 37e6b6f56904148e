import type { MutatingAdmissionPolicySpec, ValidatingAdmissionPolicySpec } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { AdmissionCompiler, type AdmissionExpression, boolType, type CelType } from '@skiff/cel';
import { BudgetExceeded, type CompiledVariable, type Result, type Scope } from './activation.ts';

/** A policy's conditions could not be evaluated, and it fails closed. */
export class ConditionError extends Error {
  override readonly name = 'ConditionError';
}

/** What policies of both kinds have, compiled: variables and conditions. */
export interface PolicyHead {
  readonly failsClosed: boolean;
  readonly variables: readonly CompiledVariable[];
  compile(expression: string, results: readonly CelType[], o?: { authorizer?: false; patchTypes?: true }): AdmissionExpression;
  /** Do all conditions hold? One that does not decides, whatever others fail. Rejects with ConditionError, unless the policy fails open. */
  matches(scope: Scope): Promise<boolean>;
}

type HeadSpec = Pick<
  ValidatingAdmissionPolicySpec | MutatingAdmissionPolicySpec,
  'paramKind' | 'failurePolicy' | 'variables' | 'matchConditions'
>;
export function compileHead(spec: DeepReadonly<HeadSpec>): PolicyHead {
  const params = spec.paramKind !== undefined;
  const failsClosed = spec.failurePolicy !== 'Ignore';
  const compiler = new AdmissionCompiler({ variables: true });
  const variables = (spec.variables ?? []).map(({ name, expression }) => ({
    name,
    compiled: compiler.addVariable(name, expression, { params, authorizer: true }),
  }));
  const compile: PolicyHead['compile'] = (expression, results, o = {}) =>
    compiler.compile(expression, results, { params, authorizer: o.authorizer ?? true, patchTypes: o.patchTypes ?? false });
  const conditions = (spec.matchConditions ?? []).map(({ expression }) => compile(expression, [boolType]));

  const evaluate = async (scope: Scope): Promise<{ held: boolean; errors: readonly string[] }> => {
    const results: Result[] = [];
    for (const c of conditions) results.push(await scope.evaluate(c));
    const errors = results.flatMap((result) => ('error' in result ? [result.error] : []));
    return { held: !results.some((result) => 'value' in result && result.value === false), errors };
  };
  return {
    failsClosed,
    variables,
    compile,
    async matches(scope) {
      if (conditions.length === 0) return true;
      try {
        const { held, errors } = await evaluate(scope);
        if (!held || errors.length === 0) return held;
        if (failsClosed) throw new ConditionError(errors.length === 1 ? errors[0] : `[${[...new Set(errors)].join(', ')}]`);
      } catch (error) {
        if (!(error instanceof BudgetExceeded)) throw error;
        if (failsClosed) throw new ConditionError(error.message);
      }
      return false;
    },
  };
}
