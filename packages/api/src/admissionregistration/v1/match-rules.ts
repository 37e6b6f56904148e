import { type DeepReadonly, type FieldErrors, isPathSegmentName, type LabelSelector, validateLabelSelector } from '@skiff/apimachinery';
import type { MatchResources, NamedRuleWithOperations, RuleWithOperations } from '../../generated/types/admissionregistration-v1.ts';
import { invalidEach } from '../../validation.ts';

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const mutatingOperations = ['*', 'CONNECT', 'CREATE', 'UPDATE'];

function validateResources(resources: readonly string[], field: string, errors: FieldErrors): void {
  if (resources.length === 0) errors.required(field);
  const openResources = new Set<string>();
  const openSubresources = new Set<string>();
  for (const [i, text] of resources.entries()) {
    if (text === '') {
      errors.required(`${field}[${i}]`);
      continue;
    }
    const [resource = '', sub] = text.split(/\/(.*)/s);
    if (sub === undefined) continue;
    if (openResources.has(resource)) errors.invalid(`${field}[${i}]`, text, `if '${resource}/*' is present, must not specify ${text}`);
    if (openSubresources.has(sub)) errors.invalid(`${field}[${i}]`, text, `if '*/${sub}' is present, must not specify ${text}`);
    if (sub === '*') openResources.add(resource);
    if (resource === '*') openSubresources.add(sub);
  }
  if (resources.length > 1 && resources.includes('*/*')) {
    errors.invalid(field, resources, "if '*/*' is present, must not specify other resources");
  }
  if (resources.includes('*') && resources.some((r) => r !== '*' && !r.includes('/'))) {
    errors.invalid(field, resources, "if '*' is present, must not specify other resources without subresources");
  }
}

/** One rule of a webhook or policy: which operations on which resources it is about. */
export function validateRule(rule: DeepReadonly<RuleWithOperations>, field: string, errors: FieldErrors): void {
  const only = (name: 'operations' | 'apiGroups' | 'apiVersions', what: string): readonly string[] => {
    const list = rule[name] ?? [];
    if (list.length === 0) errors.required(`${field}.${name}`);
    if (list.length > 1 && list.includes('*'))
      errors.invalid(`${field}.${name}`, list, `if '*' is present, must not specify other ${what}`);
    return list;
  };
  for (const [i, operation] of only('operations', 'operations').entries()) {
    if (!operations.includes(operation)) errors.notSupported(`${field}.operations[${i}]`, operation, operations);
  }
  only('apiGroups', 'API groups');
  for (const [i, version] of only('apiVersions', 'API versions').entries())
    if (version === '') errors.required(`${field}.apiVersions[${i}]`);
  validateResources(rule.resources ?? [], `${field}.resources`, errors);
  const scopes = ['*', 'Cluster', 'Namespaced'];
  if (rule.scope !== undefined && !scopes.includes(rule.scope)) errors.notSupported(`${field}.scope`, rule.scope, scopes);
}

function validateNamedRule(rule: DeepReadonly<NamedRuleWithOperations>, field: string, errors: FieldErrors): void {
  const names = new Set<string>();
  for (const [i, name] of (rule.resourceNames ?? []).entries()) {
    invalidEach(errors, `${field}.resourceNames[${i}]`, name, isPathSegmentName(name, false));
    if (names.has(name)) errors.duplicate(`${field}.resourceNames[${i}]`, name);
    names.add(name);
  }
  validateRule(rule, field, errors);
}

function requireSelector(selector: DeepReadonly<LabelSelector> | undefined, field: string, errors: FieldErrors): void {
  if (selector === undefined) errors.required(field);
  else validateLabelSelector(selector, field, errors);
}

/** What a policy or binding matches; absent is fine. */
export function validateMatchResources(match: DeepReadonly<MatchResources> | undefined, field: string, errors: FieldErrors): void {
  if (match === undefined) return;
  const policies = ['Equivalent', 'Exact'];
  if (match.matchPolicy === undefined) errors.required(`${field}.matchPolicy`);
  else if (!policies.includes(match.matchPolicy)) errors.notSupported(`${field}.matchPolicy`, match.matchPolicy, policies);
  requireSelector(match.namespaceSelector, `${field}.namespaceSelector`, errors);
  requireSelector(match.objectSelector, `${field}.objectSelector`, errors);
  for (const name of ['resourceRules', 'excludeResourceRules'] as const) {
    for (const [i, rule] of (match[name] ?? []).entries()) validateNamedRule(rule, `${field}.${name}[${i}]`, errors);
  }
}

/** Nothing can be changed about what is deleted. */
export function validateMutatingOperations(match: DeepReadonly<MatchResources> | undefined, field: string, errors: FieldErrors): void {
  for (const rule of match?.resourceRules ?? []) {
    for (const operation of rule.operations ?? []) {
      if (!mutatingOperations.includes(operation)) {
        errors.notSupported(`${field}.resourceRules.operations`, operation, mutatingOperations);
      }
    }
  }
}

export function defaultMatchResources(match: MatchResources | undefined): void {
  if (match === undefined) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= '*';
}
