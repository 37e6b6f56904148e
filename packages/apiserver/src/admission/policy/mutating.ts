import {
  mutatingAdmissionPolicy,
  mutatingAdmissionPolicyBinding,
  type MutatingAdmissionPolicy,
  type MutatingAdmissionPolicyBinding,
} from '@skiff/api';
import {
  DecodeError,
  type DeepReadonly,
  formatGroupVersion,
  internalError,
  jsonEqual,
  type JsonObject,
  type KubeObject,
  type ResourceDefinition,
  StatusError,
} from '@skiff/apimachinery';
import { type AdmissionExpression, appliedObjectType, jsonPatchType, listOf, type Value } from '@skiff/cel';
import type { AdmissionRequest } from '../../contract.ts';
import type { AdmissionPlugin } from '../plugin.ts';
import { refuse } from '../refuse.ts';
import type { CalledBefore, MutationRounds } from '../reinvocation.ts';
import { authorizerVariables } from './authorizer-value.ts';
import { Budget, BudgetExceeded, matchBudget, PolicyActivation, policyBudget, Turn } from './activation.ts';
import { matchedAs, type Surroundings, surroundingsOf } from './match.ts';
import { convertObject, formOf, type ObjectForm } from '../object-form.ts';
import { collectParams, PolicyError } from './params.ts';
import { applyConfiguration, applyOperations } from './patches.ts';
import { isExempt, type PolicyDeps } from './policy-deps.ts';
import { compileHead, ConditionError, type PolicyHead } from './policy-head.ts';
import { type PolicyHook, PolicyIndex } from './policy-index.ts';
import { RequestView, requestNamespace } from './request-view.ts';

type Policy = MutatingAdmissionPolicy;
type Binding = MutatingAdmissionPolicyBinding;

interface CompiledMutation {
  readonly compiled: AdmissionExpression;
  readonly apply: (value: Value, object: JsonObject, form: ObjectForm) => JsonObject;
}
interface Mutator {
  readonly head: PolicyHead;
  readonly mutations: readonly CompiledMutation[];
}
type Hook = PolicyHook<Policy, Binding, Mutator>;

function compileMutator({ spec = {} }: DeepReadonly<Policy>): Mutator {
  const head = compileHead(spec);
  const mutations = (spec.mutations ?? []).map(
    ({ patchType, jsonPatch, applyConfiguration: configuration }): CompiledMutation =>
      patchType === 'JSONPatch'
        ? { compiled: head.compile(jsonPatch?.expression ?? '', [listOf(jsonPatchType)], { patchTypes: true }), apply: applyOperations }
        : { compiled: head.compile(configuration?.expression ?? '', [appliedObjectType], { patchTypes: true }), apply: applyConfiguration },
  );
  return { head, mutations };
}

/** A policy that is to run for one binding and one parameter. */
interface Invocation {
  readonly hook: Hook;
  readonly binding: string;
  readonly as: ResourceDefinition;
  readonly param: DeepReadonly<KubeObject> | null;
  /** Tells it apart from all others. */
  readonly key: string;
}

/** One request's way through the policies, in one round. */
class Mutation {
  readonly #problems: { readonly message: string; readonly reason: string }[] = [];
  readonly #r: AdmissionRequest;
  readonly #deps: PolicyDeps;
  readonly #view: RequestView;
  readonly #surroundings: Surroundings;
  readonly #authorizer: Readonly<Record<string, Value>>;
  readonly #turn = new Turn();

  constructor(r: AdmissionRequest, deps: PolicyDeps, surroundings: Surroundings) {
    this.#r = r;
    this.#deps = deps;
    this.#view = new RequestView(r, deps);
    this.#authorizer = authorizerVariables(r, deps.authorizer());
    this.#surroundings = surroundings;
  }

  /** What is to run is decided on the object as it comes; what policies change does not bring others in. Throws StatusError. */
  async run(hooks: readonly Hook[], rounds: MutationRounds): Promise<void> {
    const invocations = hooks.flatMap((hook) => this.#invocations(hook));
    if (invocations.length > 0) {
      const memory = rounds.memoryOf('MutatingAdmissionPolicy');
      if (rounds.again) memory.compare(this.#r.object);
      let patched = false;
      for (const invocation of invocations) patched = (await this.#invoke(invocation, memory, rounds)) || patched;
      if (patched) {
        memory.makeDue();
        rounds.wantAnother();
      }
      memory.remember(this.#r.object);
    }
    this.#throwProblems();
  }

  #problem(hook: Hook, binding: string | undefined, message: string, reason = ''): void {
    if (!hook.evaluator.head.failsClosed) return;
    const by = binding === undefined ? `policy ${JSON.stringify(hook.name)}` : `policy '${hook.name}' with binding '${binding}'`;
    this.#problems.push({ message: `${by} denied request: ${message}`, reason });
  }

  #throwProblems(): void {
    const [first] = this.#problems;
    if (first === undefined) return;
    const { details } = refuse(this.#r, '');
    throw new StatusError((first.reason || 'Forbidden') as ConstructorParameters<typeof StatusError>[0], first.message, {
      code: 403,
      details: { ...details, causes: this.#problems.map(({ message }) => ({ message })) },
    });
  }

  #invocations(hook: Hook): readonly Invocation[] {
    const as = matchedAs(hook.policy.spec?.matchConstraints ?? {}, this.#r, this.#surroundings);
    if (as === undefined) return [];
    if (hook.params instanceof PolicyError) {
      this.#problem(hook, undefined, `failed to configure policy: ${hook.params.message}`);
      return [];
    }
    return hook.bindings.flatMap((binding) => this.#bound(hook, binding, as));
  }

  #bound(hook: Hook, binding: DeepReadonly<Binding>, as: ResourceDefinition): readonly Invocation[] {
    const { spec = {} } = binding;
    if (spec.matchResources !== undefined && matchedAs(spec.matchResources, this.#r, this.#surroundings) === undefined) return [];
    const name = binding.metadata?.name ?? '';
    try {
      const kind = hook.params instanceof PolicyError ? undefined : hook.params;
      return collectParams(kind, spec.paramRef, requestNamespace(this.#r), this.#deps.objects).map((param) => ({
        hook,
        binding: name,
        as,
        param,
        key: `${hook.name}/${name}/${param?.metadata?.namespace ?? ''}/${param?.metadata?.name ?? ''}`,
      }));
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      this.#problem(hook, name, `failed to configure binding: ${error.message}`);
      return [];
    }
  }

  /** True: something was applied. */
  async #invoke(invocation: Invocation, memory: CalledBefore, rounds: MutationRounds): Promise<boolean> {
    const { hook, as, param, binding, key } = invocation;
    const { head, mutations } = hook.evaluator;
    await this.#view.load(as);
    const activation = new PolicyActivation(this.#r, { as, view: this.#view, param, authorizer: this.#authorizer, turn: this.#turn });
    try {
      if (!(await head.matches(activation.scope(head.variables, new Budget(matchBudget), { namespace: false })))) return false;
    } catch (error) {
      if (!(error instanceof ConditionError)) throw error;
      this.#problem(hook, binding, error.message, 'Invalid');
      return false;
    }
    if (rounds.again && !memory.isDue(key)) return false;
    const before = this.#view.object(as);
    let patched = false;
    for (const mutation of mutations) {
      if (this.#r.object === null) continue;
      try {
        await this.#mutate(mutation, activation, head, as);
        patched = true;
      } catch (error) {
        if (!(error instanceof PolicyError)) throw error;
        this.#problem(hook, binding, error.message, 'Invalid');
      }
    }
    if (patched && !jsonEqual(before, this.#view.object(as))) {
      memory.makeDue();
      rounds.wantAnother();
    }
    if (hook.policy.spec?.reinvocationPolicy === 'IfNeeded') memory.add(key);
    return patched;
  }

  /** Throws PolicyError, or a StatusError where what comes out is no object of the kind. */
  async #mutate(
    { compiled, apply }: CompiledMutation,
    activation: PolicyActivation,
    head: PolicyHead,
    as: ResourceDefinition,
  ): Promise<void> {
    if (compiled.program === undefined) throw new PolicyError(compiled.error);
    let value: Value;
    try {
      const result = await activation.scope(head.variables, new Budget(policyBudget)).evaluate(compiled);
      if ('error' in result) throw new PolicyError(result.error);
      ({ value } = result);
    } catch (error) {
      if (error instanceof BudgetExceeded) throw new PolicyError(error.message);
      throw error;
    }
    const shown = this.#view.object(as);
    if (shown === null) return;
    const form = formOf(this.#r, as);
    if (form === undefined) throw unknownKind(as);
    await this.#replace(typedObject(apply(value, shown, form), form, apply === applyConfiguration), as);
  }

  async #replace(changed: JsonObject, as: ResourceDefinition): Promise<void> {
    const { definition } = this.#r;
    this.#r.object = await convertObject(this.#r, changed, { from: as, to: definition, convert: this.#deps.convert });
    await this.#view.load(as);
  }
}

const unknownKind = (d: ResourceDefinition): StatusError =>
  new StatusError(
    'ServiceUnavailable',
    `Resource kind ${formatGroupVersion(d.group, d.version)}, Kind=${d.kind} not found. There can be a delay between when CustomResourceDefinitions are created and when they are available.`,
  );

/** What came out of a patch as an object of its kind, with defaults. Throws InternalError when it is none (`merged`: PolicyError). */
function typedObject(changed: JsonObject, form: ObjectForm, merged: boolean): JsonObject {
  try {
    const { object, strictErrors } = form.codec.decode({ value: structuredClone(changed) });
    if (form.strict && strictErrors.length > 0) throw internalError(new Error(`strict decoding error: ${strictErrors.join(', ')}`));
    object.kind = form.kind;
    object.apiVersion = form.apiVersion;
    form.codec.applyDefaults(object);
    form.defaults?.(object);
    return object as unknown as JsonObject;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    if (!merged) throw internalError(error);
    const kind = form.apiVersion.includes('/') ? form.apiVersion : `/${form.apiVersion}`;
    throw new PolicyError(`unable to convert unstructured object to ${kind}, Kind=${form.kind}: ${error.message}`);
  }
}

/** Policies that change objects by expressions, before webhooks do. */
export const mutatingPolicies = (deps: PolicyDeps): AdmissionPlugin => {
  const index = new PolicyIndex<Policy, Binding, Mutator>({
    objects: deps.objects,
    policies: mutatingAdmissionPolicy,
    bindings: mutatingAdmissionPolicyBinding,
    definitions: deps.definitions,
    compile: compileMutator,
  });
  return {
    name: 'MutatingAdmissionPolicy',
    handles: (r) => r.operation !== 'DELETE' && !isExempt(r),
    mutate: async (r, _lifetime, rounds) => {
      const hooks = index.candidates(r);
      if (hooks.length > 0) await new Mutation(r, deps, await surroundingsOf(hooks, r, deps)).run(hooks, rounds);
    },
  };
};
