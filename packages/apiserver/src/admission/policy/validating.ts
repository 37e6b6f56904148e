import {
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
  type ValidatingAdmissionPolicy,
  type ValidatingAdmissionPolicyBinding,
} from '@skiff/api';
import { type DeepReadonly, type ResourceDefinition, StatusError } from '@skiff/apimachinery';
import type { Value } from '@skiff/cel';
import type { AdmissionRequest } from '../../contract.ts';
import type { AdmissionPlugin } from '../plugin.ts';
import { refuse } from '../refuse.ts';
import { PolicyActivation, Turn } from './activation.ts';
import { authorizerVariables } from './authorizer-value.ts';
import { matchedAs, surroundingsOf } from './match.ts';
import { collectParams, PolicyError } from './params.ts';
import { isExempt, type PolicyDeps } from './policy-deps.ts';
import { type PolicyHook, PolicyIndex } from './policy-index.ts';
import { RequestView, requestNamespace } from './request-view.ts';
import type { EnforcementAction } from './policy-metrics.ts';
import { compileValidator, type Decision, type Validator } from './validator.ts';

type Policy = ValidatingAdmissionPolicy;
type Binding = ValidatingAdmissionPolicyBinding;
type Hook = PolicyHook<Policy, Binding, Validator>;

const maxAnnotationBytes = 10 * 1024;
const failureAnnotation = 'validation.policy.admission.k8s.io/validation_failure';

interface Denial {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason: string | undefined;
}

/** A policy that matches a request, and those of its bindings that do. */
interface MatchedHook {
  readonly hook: Hook;
  /** The version in which it sees the request. */
  readonly as: ResourceDefinition;
  readonly bindings: readonly DeepReadonly<Binding>[];
}

async function matchHooks(hooks: readonly Hook[], r: AdmissionRequest, deps: PolicyDeps): Promise<readonly MatchedHook[]> {
  const surroundings = await surroundingsOf(hooks, r, deps);
  return hooks.flatMap((hook) => {
    const as = matchedAs(hook.policy.spec?.matchConstraints ?? {}, r, surroundings);
    if (as === undefined) return [];
    const bindings = hook.bindings.filter(
      ({ spec }) => spec.matchResources === undefined || matchedAs(spec.matchResources, r, surroundings) !== undefined,
    );
    return [{ hook, as, bindings }];
  });
}

/** One request before the policies: their verdicts are collected, and the first denial is what the client hears. */
class Judgement {
  readonly denials: Denial[] = [];
  readonly #r: AdmissionRequest;
  readonly #deps: PolicyDeps;
  readonly #view: RequestView;
  readonly #authorizer: Readonly<Record<string, Value>>;
  readonly #turn = new Turn();

  constructor(
    r: AdmissionRequest,
    deps: PolicyDeps,
    o: { readonly view: RequestView; readonly authorizer: Readonly<Record<string, Value>> },
  ) {
    this.#authorizer = o.authorizer;
    this.#r = r;
    this.#deps = deps;
    this.#view = o.view;
  }

  async judge({ hook, as, bindings }: MatchedHook): Promise<void> {
    if (hook.params instanceof PolicyError) return this.#misconfigured(hook, undefined, hook.params);
    const annotations = new Map<string, string[]>();
    for (const binding of bindings) await this.#judgeBinding(hook, binding, as, annotations);
    for (const [key, values] of annotations) this.#r.audit?.annotate(`${hook.name}/${key}`, values.join(', '));
  }

  #misconfigured(hook: Hook, binding: DeepReadonly<Binding> | undefined, error: PolicyError): void {
    if (hook.policy.spec?.failurePolicy === 'Ignore') return;
    this.denials.push({
      policy: hook.name,
      binding: binding?.metadata?.name,
      message: `failed to configure ${binding === undefined ? 'policy' : 'binding'}: ${error.message}`,
      reason: undefined,
    });
  }

  async #judgeBinding(
    hook: Hook,
    binding: DeepReadonly<Binding>,
    as: ResourceDefinition,
    annotations: Map<string, string[]>,
  ): Promise<void> {
    const { spec } = binding;
    let params: ReturnType<typeof collectParams>;
    try {
      const kind = hook.params instanceof PolicyError ? undefined : hook.params;
      params = collectParams(kind, spec.paramRef, requestNamespace(this.#r), this.#deps.objects);
    } catch (error) {
      if (error instanceof PolicyError) return this.#misconfigured(hook, binding, error);
      throw error;
    }
    for (const param of params) {
      const activation = new PolicyActivation(this.#r, { as, view: this.#view, param, authorizer: this.#authorizer, turn: this.#turn });
      const verdict = await hook.evaluator.judge(activation);
      for (const [i, decision] of verdict.decisions.entries()) this.#act(hook, binding, i, decision);
      for (const { key, value, error } of verdict.annotations) {
        if (error !== undefined) this.#deny(hook, binding, { message: error, reason: undefined });
        else if (value !== undefined) {
          const values = annotations.get(key) ?? [];
          const short = Buffer.from(value).subarray(0, maxAnnotationBytes).toString();
          if (!values.includes(short)) annotations.set(key, [...values, short]);
        }
      }
    }
  }

  #deny(hook: Hook, binding: DeepReadonly<Binding>, { message, reason }: Pick<Decision, 'message' | 'reason'>): void {
    this.denials.push({ policy: hook.name, binding: binding.metadata?.name ?? '', message, reason });
  }

  #act(hook: Hook, binding: DeepReadonly<Binding>, expressionIndex: number, decision: Decision): void {
    const name = binding.metadata?.name ?? '';
    const count = (action: EnforcementAction): void =>
      this.#deps.metrics?.checked(hook.name, name, decision.errorType, action, decision.elapsedMs);
    if (!decision.deny) return count('allow');
    const validationActions = binding.spec.validationActions ?? [];
    for (const action of validationActions) {
      count(action.toLowerCase() as EnforcementAction);
      if (action === 'Deny') this.#deny(hook, binding, decision);
      else if (action === 'Audit') {
        const failure = { message: decision.message, policy: binding.spec.policyName, binding: name, expressionIndex, validationActions };
        this.#r.audit?.annotate(failureAnnotation, JSON.stringify([failure]));
      } else if (action === 'Warn') {
        const text = `Validation failed for ValidatingAdmissionPolicy '${hook.name}' with binding '${name}': ${decision.message}`;
        if (!this.#r.warnings.includes(text)) this.#r.warnings.push(text);
      }
    }
  }
}

const codes: Readonly<Record<string, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413 };

function denied(r: AdmissionRequest, d: Denial): StatusError {
  const by = d.binding === undefined ? '' : ` with binding '${d.binding}'`;
  const message = `ValidatingAdmissionPolicy '${d.policy}'${by} denied request: ${d.message}`;
  const error = refuse(r, message);
  const reason = (d.reason ?? 'Invalid') as ConstructorParameters<typeof StatusError>[0];
  return new StatusError(reason, error.message, {
    code: codes[reason] ?? 422,
    details: { ...error.details, causes: [{ message }] },
  });
}

/** Policies that say no (or warn, or note for the audit log) by expressions about the final object. */
export const validatingPolicies = (deps: PolicyDeps): AdmissionPlugin => {
  const index = new PolicyIndex<Policy, Binding, Validator>({
    objects: deps.objects,
    policies: validatingAdmissionPolicy,
    bindings: validatingAdmissionPolicyBinding,
    definitions: deps.definitions,
    compile: compileValidator,
  });
  return {
    name: 'ValidatingAdmissionPolicy',
    handles: (r) => !isExempt(r),
    validate: async (r) => {
      const hooks = index.candidates(r);
      if (hooks.length === 0) return;
      const matched = await matchHooks(hooks, r, deps);
      if (matched.length === 0) return;
      const view = new RequestView(r, deps);
      for (const { as } of matched) await view.load(as);
      const authorizer = authorizerVariables(r, deps.authorizer());
      const judgement = new Judgement(r, deps, { view, authorizer });
      for (const m of matched) await judgement.judge(m);
      const [first] = judgement.denials;
      if (first !== undefined) throw denied(r, first);
    },
  };
};
