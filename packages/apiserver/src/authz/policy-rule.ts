import type { PolicyRule } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { AuthorizationAttributes } from './authorizer.ts';

export type Rule = DeepReadonly<PolicyRule>;

const matches = (list: readonly string[] | null | undefined, value: string): boolean =>
  list?.some((v) => v === '*' || v === value) === true;

function matchesResource(rule: Rule, resource: string, subresource: string): boolean {
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  return rule.resources?.some((r) => r === '*' || r === combined || (subresource !== '' && r === `*/${subresource}`)) === true;
}

const matchesUrl = (rule: Rule, path: string): boolean =>
  rule.nonResourceURLs?.some((url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.replace(/\*+$/, '')))) ===
  true;

/** Does one RBAC rule grant this? */
export function ruleAllows(rule: Rule, a: AuthorizationAttributes): boolean {
  if (!matches(rule.verbs, a.verb)) return false;
  if (!a.isResourceRequest) return matchesUrl(rule, a.path);
  if (!matches(rule.apiGroups, a.group) || !matchesResource(rule, a.resource, a.subresource)) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || names.includes(a.name);
}

/** A rule as rules of one verb, one group, one resource, one name (or one URL) each. */
export function* breakDown(rule: Rule): Generator<Rule> {
  const names = rule.resourceNames ?? [];
  for (const verb of rule.verbs ?? []) {
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        if (names.length === 0) yield { verbs: [verb], apiGroups: [group], resources: [resource] };
        else for (const name of names) yield { verbs: [verb], apiGroups: [group], resources: [resource], resourceNames: [name] };
      }
    }
    for (const url of rule.nonResourceURLs ?? []) yield { verbs: [verb], nonResourceURLs: [url] };
  }
}

const includes = (list: readonly string[] | null | undefined, value: string): boolean => list?.includes(value) === true;

function coversResource(owner: Rule, resource: string): boolean {
  if (includes(owner.resources, '*') || includes(owner.resources, resource)) return true;
  const slash = resource.indexOf('/');
  return slash >= 0 && includes(owner.resources, `*/${resource.slice(slash + 1)}`);
}

const coversUrl = (owner: Rule, url: string): boolean =>
  owner.nonResourceURLs?.some((own) => own === url || (own.endsWith('*') && url.startsWith(own.replace(/\*+$/, '')))) === true;

/** `part` must come from breakDown. */
function ruleCovers(owner: Rule, part: Rule): boolean {
  const verb = part.verbs?.[0] ?? '';
  if (!includes(owner.verbs, '*') && !includes(owner.verbs, verb)) return false;
  const url = part.nonResourceURLs?.[0];
  if (url !== undefined) return coversUrl(owner, url);
  const group = part.apiGroups?.[0] ?? '';
  if (!includes(owner.apiGroups, '*') && !includes(owner.apiGroups, group)) return false;
  if (!coversResource(owner, part.resources?.[0] ?? '')) return false;
  const owned = owner.resourceNames ?? [];
  const name = part.resourceNames?.[0];
  return owned.length === 0 || (name !== undefined && owned.includes(name));
}

/** The parts of `wanted` that none of `owned` grants: empty means no escalation. */
export function uncoveredRules(owned: readonly Rule[], wanted: readonly Rule[]): readonly Rule[] {
  const missing: Rule[] = [];
  for (const rule of wanted) for (const part of breakDown(rule)) if (!owned.some((o) => ruleCovers(o, part))) missing.push(part);
  return missing;
}
