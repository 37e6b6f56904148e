import type { MatchResources, NamedRuleWithOperations } from '@skiff/api';
import type { DeepReadonly, ResourceDefinition } from '@skiff/apimachinery';
import type { AdmissionRequest } from '../../contract.ts';
import { namespaceOfRequest } from '../request-namespace.ts';
import { ruleMatches, selectorsMatch, selectsNamespaces } from '../webhook/match.ts';
import type { PolicyDeps } from './policy-deps.ts';

type Rule = DeepReadonly<NamedRuleWithOperations>;
export type Match = DeepReadonly<MatchResources>;

/** Other versions of a request's objects, and the labels of their namespace: what rules and selectors are held against. */
export interface Surroundings {
  readonly equivalents: readonly ResourceDefinition[];
  /** Of the request's namespace; may be left out where no selector asks for it. */
  readonly namespaceLabels: DeepReadonly<Record<string, string>> | undefined;
}

export const equivalentsOf = (d: ResourceDefinition, all: readonly ResourceDefinition[]): readonly ResourceDefinition[] =>
  all.filter((o) => o.storagePrefix === d.storagePrefix && o.kind === d.kind);

const named = (rule: Rule, name: string): boolean => (rule.resourceNames ?? []).length === 0 || rule.resourceNames?.includes(name) === true;

/** The version of the request's objects that a rule covers: their own where one does, else another that counts as the same. */
function coveredAs(
  rules: readonly Rule[],
  match: Match,
  r: AdmissionRequest,
  o: { readonly equivalents: readonly ResourceDefinition[]; readonly anyName?: boolean },
): ResourceDefinition | undefined {
  const covers = (rule: Rule, d: ResourceDefinition): boolean => ruleMatches(rule, d, r) && (o.anyName === true || named(rule, r.name));
  if (rules.some((rule) => covers(rule, r.definition))) return r.definition;
  if (match.matchPolicy === 'Exact') return undefined;
  for (const rule of rules) {
    const other = o.equivalents.find((d) => d !== r.definition && covers(rule, d));
    if (other !== undefined) return other;
  }
  return undefined;
}

/** Might requests of this kind (resource, subresource, operation) match? Needs to be asked once for all of them. */
export const mayMatch = (match: Match, r: AdmissionRequest, equivalents: readonly ResourceDefinition[]): boolean =>
  coveredAs(match.resourceRules ?? [], match, r, { equivalents, anyName: true }) !== undefined;

interface Matching {
  readonly policy: DeepReadonly<{ spec?: { matchConstraints?: MatchResources } }>;
  readonly bindings: readonly DeepReadonly<{ spec?: { matchResources?: MatchResources } }>[];
}
/** What a request's policies and their bindings are held against. Rejects with NotFound of a namespace that selectors ask about. */
export async function surroundingsOf(hooks: readonly Matching[], r: AdmissionRequest, deps: PolicyDeps): Promise<Surroundings> {
  const asked = hooks.some(({ policy, bindings }) =>
    [policy.spec?.matchConstraints, ...bindings.map((b) => b.spec?.matchResources)].some((m) => m !== undefined && selectsNamespaces(m, r)),
  );
  return {
    equivalents: equivalentsOf(r.definition, deps.definitions()),
    namespaceLabels: asked ? (await namespaceOfRequest(r, deps.objects))?.metadata?.labels : undefined,
  };
}

/** The version of the request's objects in which a policy or binding sees the request; undefined: it has nothing to do with it. */
export function matchedAs(match: Match, r: AdmissionRequest, s: Surroundings): ResourceDefinition | undefined {
  if (!selectorsMatch(match, r, s.namespaceLabels)) return undefined;
  if (coveredAs(match.excludeResourceRules ?? [], match, r, s) !== undefined) return undefined;
  const rules = match.resourceRules ?? [];
  return rules.length === 0 ? r.definition : coveredAs(rules, match, r, s);
}
