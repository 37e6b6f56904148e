import type { DeepReadonly, JsonObject, KubeObject, ResourceDefinition } from '@skiff/apimachinery';
import {
  adapt,
  type AdmissionExpression,
  CelError,
  CostLimitExceeded,
  LazyObject,
  namespaceType,
  requestType,
  settle,
  type Value,
  type Variables,
} from '@skiff/cel';
import type { AdmissionRequest } from '../../contract.ts';
import { type RequestView, requestVariable } from './request-view.ts';

/** Cost units (upstream's) that one evaluation may use. */
const evaluationLimit = 1_000_000;
/** Those of one run of a policy: about a second. */
export const policyBudget = 10_000_000;
/** Those of all conditions of one run. */
export const matchBudget = 2_500_000;

/** Nothing more of a policy is evaluated. */
export class BudgetExceeded extends Error {
  override readonly name = 'BudgetExceeded';
  constructor() {
    super('validation failed due to running out of cost budget, no further validation rules will be run');
  }
}

/** Evaluations of one request run for so long before others have their turn on the event loop. */
const turnMs = 10;

/** One request's time on the event loop. */
export class Turn {
  #startedMs = performance.now();
  /** Lets others have their turn when this one has lasted long enough. */
  async yield(): Promise<void> {
    if (performance.now() - this.#startedMs < turnMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#startedMs = performance.now();
  }
}

/** What evaluations may still cost together. */
export class Budget {
  #left: number;
  constructor(units: number) {
    this.#left = units;
  }
  /** Throws BudgetExceeded. */
  charge(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) throw new BudgetExceeded();
  }
}

export interface CompiledVariable {
  readonly name: string;
  readonly compiled: AdmissionExpression;
}

/** What an expression came to, or why it could not be evaluated. */
export type Result = { readonly value: Value } | { readonly error: string };

export interface ActivationOptions {
  /** The version in which the policy sees the request. */
  readonly as: ResourceDefinition;
  readonly view: RequestView;
  readonly param: DeepReadonly<KubeObject> | null;
  readonly turn: Turn;
  /** See authorizerVariables. */
  readonly authorizer: Readonly<Record<string, Value>>;
}

/** What one run of a policy (for one binding and one parameter) is about. */
export class PolicyActivation {
  readonly #r: AdmissionRequest;
  readonly #o: ActivationOptions;
  #request: Value | undefined;

  constructor(r: AdmissionRequest, o: ActivationOptions) {
    this.#r = r;
    this.#o = o;
  }

  /** One group of expressions: their variables are computed when first used, at most once, on the group's budget. */
  scope(variables: readonly CompiledVariable[], budget: Budget, o: { namespace?: false; authorizer?: false } = {}): Scope {
    const { as, view, param, authorizer, turn } = this.#o;
    const json = (object: DeepReadonly<JsonObject> | null): Value => (object === null ? null : adapt(object));
    const names: Record<string, Value | (() => Value)> = {
      ...(o.authorizer === false ? {} : authorizer),
      object: () => json(view.object(as)),
      oldObject: () => json(view.oldObject(as)),
      request: () => (this.#request ??= adapt(requestVariable(this.#r, as), requestType)),
      namespaceObject: () => {
        const found = o.namespace === false ? null : view.namespace();
        return found === null ? null : adapt(found, namespaceType);
      },
      params: param === null ? null : () => adapt(param as unknown as DeepReadonly<JsonObject>),
    };
    return new Scope(names, variables, budget, turn);
  }
}

/** Evaluates a group of expressions. */
export class Scope {
  readonly #names: Record<string, Value | (() => Value)>;
  readonly #budget: Budget;
  readonly #turn: Turn;
  /** Cost of variables since it was last charged. */
  #composition = 0;

  constructor(names: Record<string, Value | (() => Value)>, variables: readonly CompiledVariable[], budget: Budget, turn = new Turn()) {
    this.#budget = budget;
    this.#turn = turn;
    const fields = new Map(variables.map(({ name, compiled }) => [name, () => this.#variable(name, compiled)]));
    const known = new LazyObject('kubernetes.variables', fields);
    this.#names = { ...names, variables: known };
  }

  /** Waits where an authorizer has to be asked. Rejects with BudgetExceeded. */
  async evaluate(compiled: AdmissionExpression): Promise<Result> {
    const result = await settle(() => this.#evaluate(compiled));
    await this.#turn.yield();
    return result;
  }

  #evaluate(compiled: AdmissionExpression): Result {
    if (compiled.program === undefined) return { error: `compilation error: ${compiled.error}` };
    const { value, cost } = this.#run(compiled.program.evaluate);
    const composition = this.#composition;
    this.#composition = 0;
    this.#budget.charge(composition);
    this.#budget.charge(cost);
    return value instanceof CelError ? { error: `expression '${compiled.expression}' resulted in error: ${value.message}` } : { value };
  }

  #run(evaluate: (variables: Variables, limit: number) => { readonly value: Value; readonly cost: number }): {
    value: Value;
    cost: number;
  } {
    try {
      return evaluate(this.#names, evaluationLimit);
    } catch (error) {
      if (error instanceof CostLimitExceeded) return { value: new CelError(error.message), cost: evaluationLimit };
      throw error;
    }
  }

  #variable(name: string, compiled: AdmissionExpression): Value {
    if (compiled.program === undefined) return new CelError(`composited variable "${name}" fails to compile: ${compiled.error}`);
    const { value, cost } = this.#run(compiled.program.evaluate);
    this.#composition += cost;
    return value instanceof CelError ? new CelError(`composited variable "${name}" fails to evaluate: ${value.message}`) : value;
  }
}
