import type { MatchResources, ParamKind, ParamRef } from '@skiff/api';
import type { DeepReadonly, KubeObject, ResourceDefinition } from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../../contract.ts';
import { equivalentsOf, mayMatch } from './match.ts';
import { paramDefinition, PolicyError } from './params.ts';

interface Policy extends KubeObject {
  spec?: { matchConstraints?: MatchResources; paramKind?: ParamKind };
}
interface Binding extends KubeObject {
  spec?: { policyName?: string; paramRef?: ParamRef; matchResources?: MatchResources };
}

/** A policy that is in force: at least one binding names it. */
export interface PolicyHook<P extends Policy, B extends Binding, E> {
  readonly name: string;
  readonly policy: DeepReadonly<P>;
  /** In the order of their names. */
  readonly bindings: readonly DeepReadonly<B>[];
  /** Compiled when first asked for, once for each version of the policy. */
  readonly evaluator: E;
  /** The kind of its parameters; undefined: it has none. An error: there is no such kind. */
  readonly params: ResourceDefinition | PolicyError | undefined;
}

export interface PolicyIndexDeps<P extends Policy, B extends Binding, E> {
  readonly objects: ObjectAccess;
  readonly policies: ResourceDefinition<P>;
  readonly bindings: ResourceDefinition<B>;
  /** All that is served now: another array after each change. */
  readonly definitions: () => readonly ResourceDefinition[];
  readonly compile: (policy: DeepReadonly<P>) => E;
}

/** More kinds of requests than these are not remembered: names of subresources come from clients. */
const maxRemembered = 2000;

/** The policies in force, found by the kind of request. Follows the watch cache; idle requests cost one look at an empty list. */
export class PolicyIndex<P extends Policy, B extends Binding, E> {
  readonly #deps: PolicyIndexDeps<P, B, E>;
  readonly #compiled = new WeakMap<DeepReadonly<P>, E>();
  #dirty = true;
  #hooks: readonly PolicyHook<P, B, E>[] = [];
  #madeFor: readonly ResourceDefinition[] | undefined;
  readonly #candidates = new Map<string, readonly PolicyHook<P, B, E>[]>();

  constructor(deps: PolicyIndexDeps<P, B, E>) {
    this.#deps = deps;
    const changed = (): void => {
      this.#dirty = true;
    };
    deps.objects.subscribe(deps.policies, changed);
    deps.objects.subscribe(deps.bindings, changed);
  }

  /** Policies whose rules cover requests of this kind (names and selectors left aside), in the order of their names. */
  candidates(r: AdmissionRequest): readonly PolicyHook<P, B, E>[] {
    if (this.#dirty) this.#refresh();
    if (this.#hooks.length === 0) return this.#hooks;
    const definitions = this.#deps.definitions();
    if (definitions !== this.#madeFor) this.#refresh();
    const { group, version, plural } = r.definition;
    const key = `${r.operation} ${group}/${version}/${plural}/${r.subresource}`;
    const known = this.#candidates.get(key);
    if (known !== undefined) return known;
    const equivalents = equivalentsOf(r.definition, definitions);
    const found = this.#hooks.filter(({ policy }) => mayMatch(policy.spec?.matchConstraints ?? {}, r, equivalents));
    if (this.#candidates.size >= maxRemembered) this.#candidates.clear();
    this.#candidates.set(key, found);
    return found;
  }

  #refresh(): void {
    this.#dirty = false;
    this.#candidates.clear();
    const { objects, policies, bindings } = this.#deps;
    const definitions = this.#deps.definitions();
    this.#madeFor = definitions;
    const byPolicy = new Map<string, DeepReadonly<B>[]>();
    for (const binding of sorted(objects.list<B>(bindings))) {
      const name = binding.spec?.policyName ?? '';
      const others = byPolicy.get(name);
      if (others === undefined) byPolicy.set(name, [binding]);
      else others.push(binding);
    }
    this.#hooks = sorted(objects.list<P>(policies)).flatMap((policy) => {
      const name = policy.metadata?.name ?? '';
      const own = byPolicy.get(name);
      return own === undefined ? [] : [this.#hook(name, policy, own, definitions)];
    });
  }

  #hook(
    name: string,
    policy: DeepReadonly<P>,
    bindings: readonly DeepReadonly<B>[],
    definitions: readonly ResourceDefinition[],
  ): PolicyHook<P, B, E> {
    const evaluator = (): E => {
      let made = this.#compiled.get(policy);
      if (made === undefined) {
        made = this.#deps.compile(policy);
        this.#compiled.set(policy, made);
      }
      return made;
    };
    return {
      name,
      policy,
      bindings,
      get evaluator() {
        return evaluator();
      },
      params: paramsOf(policy, definitions),
    };
  }
}

function paramsOf(policy: DeepReadonly<Policy>, definitions: readonly ResourceDefinition[]): ResourceDefinition | PolicyError | undefined {
  const kind = policy.spec?.paramKind;
  if (kind === undefined) return undefined;
  try {
    return paramDefinition(kind, definitions);
  } catch (error) {
    if (error instanceof PolicyError) return error;
    throw error;
  }
}

const sorted = <T extends DeepReadonly<KubeObject>>(objects: readonly T[]): readonly T[] =>
  [...objects].sort((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1));
