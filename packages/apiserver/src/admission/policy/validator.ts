import type { ValidatingAdmissionPolicy } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { type AdmissionExpression, boolType, nullType, stringType } from '@skiff/cel';
import { Budget, BudgetExceeded, matchBudget, type PolicyActivation, policyBudget, type Result } from './activation.ts';
import type { PolicyErrorType } from './policy-metrics.ts';
import { compileHead, ConditionError, type PolicyHead } from './policy-head.ts';

const maxMessageBytes = 5 * 1024;

export interface Decision {
  readonly deny: boolean;
  readonly errorType: PolicyErrorType;
  readonly elapsedMs: number;
  readonly message: string;
  readonly reason: string | undefined;
}

/** What one annotation came to: a value to publish, an error that denies, or neither. */
export interface Annotation {
  readonly key: string;
  readonly value: string | undefined;
  readonly error: string | undefined;
}

export interface Verdict {
  /** One for each validation, in order; a single one when the policy could not be evaluated. */
  readonly decisions: readonly Decision[];
  readonly annotations: readonly Annotation[];
}

const nothing: Verdict = { decisions: [], annotations: [] };

interface CompiledValidation {
  readonly expression: string;
  readonly compiled: AdmissionExpression;
  readonly message: string;
  readonly messageExpression: AdmissionExpression | undefined;
  readonly reason: string | undefined;
}

/** A policy ready to be run. Stateless. */
export class Validator {
  readonly #head: PolicyHead;
  readonly #validations: readonly CompiledValidation[];
  readonly #annotations: readonly { readonly key: string; readonly expression: string; readonly compiled: AdmissionExpression }[];

  constructor(policy: DeepReadonly<ValidatingAdmissionPolicy>) {
    const { spec = {} } = policy;
    const head = compileHead(spec);
    this.#head = head;
    this.#validations = (spec.validations ?? []).map((v) => ({
      expression: v.expression,
      compiled: head.compile(v.expression, [boolType]),
      message: (v.message ?? '').trim(),
      messageExpression: v.messageExpression ? head.compile(v.messageExpression, [stringType], { authorizer: false }) : undefined,
      reason: v.reason,
    }));
    this.#annotations = (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      expression: valueExpression,
      compiled: head.compile(valueExpression, [stringType, nullType]),
    }));
  }

  async judge(activation: PolicyActivation): Promise<Verdict> {
    try {
      const conditions = activation.scope(this.#head.variables, new Budget(matchBudget), { namespace: false });
      if (!(await this.#head.matches(conditions))) return nothing;
      const decisions = await this.#decide(activation);
      return { decisions, annotations: await this.#annotate(activation) };
    } catch (error) {
      if (!(error instanceof BudgetExceeded) && !(error instanceof ConditionError)) throw error;
      const errorType = error instanceof BudgetExceeded ? 'out_of_budget' : 'invalid_error';
      return { decisions: [this.#failed(error.message, errorType, 0)], annotations: [] };
    }
  }

  /** What an expression that can't be evaluated means. */
  #failed(message: string, errorType: PolicyErrorType, elapsedMs: number): Decision {
    return { deny: this.#head.failsClosed, message, reason: undefined, errorType, elapsedMs };
  }

  async #decide(activation: PolicyActivation): Promise<Decision[]> {
    const budget = new Budget(policyBudget);
    const scope = activation.scope(this.#head.variables, budget);
    const results: Result[] = [];
    const elapsedMs: number[] = [];
    for (const v of this.#validations) {
      const startedMs = performance.now();
      results.push(await scope.evaluate(v.compiled));
      elapsedMs.push(performance.now() - startedMs);
    }
    const messages = await this.#messages(activation, budget, results);
    return results.map((result, i) => {
      const v = this.#validations[i] as CompiledValidation;
      const tookMs = elapsedMs[i] ?? 0;
      const isCompiled = v.compiled.program !== undefined;
      if ('error' in result) return this.#failed(result.error, isCompiled ? 'invalid_error' : 'compile_error', tookMs);
      if (messages instanceof BudgetExceeded) return this.#failed(`failed messageExpression: ${messages.message}`, 'out_of_budget', tookMs);
      const measured = { errorType: 'no_error', elapsedMs: tookMs } as const;
      if (result.value === true) return { ...measured, deny: false, message: '', reason: undefined };
      const message = usableMessage(messages[i]) || v.message || `failed expression: ${v.expression.trim()}`;
      return { ...measured, deny: true, message, reason: v.reason ?? 'Invalid' };
    });
  }

  /** Of what is denied; upstream makes those of all validations, and shows no others. */
  async #messages(
    activation: PolicyActivation,
    budget: Budget,
    results: readonly Result[],
  ): Promise<readonly (Result | undefined)[] | BudgetExceeded> {
    const denied = results.map((result) => 'value' in result && result.value !== true);
    if (!denied.includes(true)) return [];
    const scope = activation.scope(this.#head.variables, budget, { authorizer: false });
    const messages: (Result | undefined)[] = [];
    try {
      for (const [i, isDenied] of denied.entries()) {
        const expression = isDenied ? this.#validations[i]?.messageExpression : undefined;
        messages.push(expression === undefined ? undefined : await scope.evaluate(expression));
      }
      return messages;
    } catch (error) {
      if (error instanceof BudgetExceeded) return error;
      throw error;
    }
  }

  async #annotate(activation: PolicyActivation): Promise<Annotation[]> {
    const annotations: Annotation[] = [];
    const scope = activation.scope(this.#head.variables, new Budget(policyBudget));
    for (const { key, expression, compiled } of this.#annotations) {
      annotations.push(this.#annotation(key, expression, await scope.evaluate(compiled)));
    }
    return annotations;
  }

  #annotation(key: string, expression: string, result: Result): Annotation {
    if ('error' in result) return { key, value: undefined, error: this.#head.failsClosed ? result.error : undefined };
    if (typeof result.value === 'string') return { key, value: result.value.trim() || undefined, error: undefined };
    if (result.value === null) return { key, value: undefined, error: undefined };
    const error = `valueExpression '${expression}' resulted in unsupported return type. Return type must be either string or null.`;
    return { key, value: undefined, error };
  }
}

/** What a messageExpression made, where it can be shown. */
function usableMessage(result: Result | undefined): string {
  if (result === undefined || 'error' in result || typeof result.value !== 'string') return '';
  const message = result.value.trim();
  return Buffer.byteLength(message) > maxMessageBytes || message.includes('\n') ? '' : message;
}

export const compileValidator = (policy: DeepReadonly<ValidatingAdmissionPolicy>): Validator => new Validator(policy);
