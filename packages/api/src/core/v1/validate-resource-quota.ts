import { lookupTable, compareQuantities, type DeepReadonly, type FieldErrors, fieldImmutableError } from '@skiff/apimachinery';
import type { ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement } from '../../generated/types/core-v1.ts';
import { goValue } from '../../go-value.ts';
import { keyPath } from '../../validation.ts';
import type { ResourceList } from './resource-list.ts';
import { isStandardQuotaResource } from './resource-names.ts';
import { validateQuantityOf, validateResourceName } from './resource-requirements.ts';

type Quota = DeepReadonly<ResourceQuota>;
type Spec = DeepReadonly<ResourceQuotaSpec>;

const compute = ['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'];
const ofPods = ['pods', ...compute];

/** Scope → what may be counted within it. */
const scopes = lookupTable<readonly string[]>({
  Terminating: ofPods,
  NotTerminating: ofPods,
  NotBestEffort: ofPods,
  PriorityClass: ofPods,
  CrossNamespacePodAffinity: ofPods,
  BestEffort: ['pods'],
  VolumeAttributesClass: ['persistentvolumeclaims', 'requests.storage'],
});
const withoutValues = ['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity'];
const opposites = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;

function validateList(list: DeepReadonly<ResourceList> | undefined, path: string, errors: FieldErrors): void {
  for (const [name, quantity] of Object.entries(list ?? {})) {
    const at = keyPath(path, name);
    validateResourceName(name, at, errors);
    if (!name.includes('/') && !isStandardQuotaResource(name)) errors.invalid(at, name, 'must be a standard resource for quota');
    validateQuantityOf(name, quantity, at, errors);
  }
}

/** Once for each counted resource that does not go with the scope. */
function eachMisfit(spec: Spec, scope: string, report: () => void): void {
  const allowed = scopes[scope];
  for (const name of Object.keys(spec.hard ?? {})) if (isStandardQuotaResource(name) && allowed && !allowed.includes(name)) report();
}

const conflict = (used: ReadonlySet<string>): boolean => opposites.some(([a, b]) => used.has(a) && used.has(b));

function validateScopes(spec: Spec, errors: FieldErrors): void {
  const list = spec.scopes ?? [];
  const invalid = (detail: string): void => errors.invalid('spec.scopes', list, detail);
  for (const scope of list) {
    if (scopes[scope] === undefined) invalid('unsupported scope');
    eachMisfit(spec, scope, () => invalid('unsupported scope applied to resource'));
  }
  if (conflict(new Set(list))) invalid('conflicting scopes');
}

function validateSelector(spec: Spec, errors: FieldErrors): void {
  const selector = spec.scopeSelector;
  if (selector === undefined) return;
  const path = 'spec.scopeSelector.matchExpressions';
  const requirements = selector.matchExpressions ?? [];
  for (const requirement of requirements) {
    const { scopeName } = requirement;
    if (scopes[scopeName] === undefined) errors.invalid(`${path}.scopeName`, scopeName, 'unsupported scope');
    eachMisfit(spec, scopeName, () =>
      errors.invalid(path, goValue('io.k8s.api.core.v1.ScopeSelector', selector), 'unsupported scope applied to resource'),
    );
    validateRequirement(requirement, path, errors);
  }
  if (conflict(new Set(requirements.map((r) => r.scopeName)))) errors.invalid(path, spec.scopes, 'conflicting scopes');
}

function validateRequirement(requirement: DeepReadonly<ScopedResourceSelectorRequirement>, path: string, errors: FieldErrors): void {
  const { scopeName, operator, values = [] } = requirement;
  if (withoutValues.includes(scopeName) && operator !== 'Exists') {
    errors.invalid(
      `${path}.operator`,
      operator,
      "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
    );
  }
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) {
      errors.required(`${path}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
    }
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      errors.invalid(`${path}.values`, values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
    }
  } else errors.invalid(`${path}.operator`, operator, 'not a valid selector operator');
}

export function validateQuota(quota: Quota, errors: FieldErrors): void {
  const spec = quota.spec ?? {};
  validateList(spec.hard, 'spec.hard', errors);
  validateScopes(spec, errors);
  validateSelector(spec, errors);
}

export function validateQuotaUpdate(quota: Quota, old: Quota, errors: FieldErrors): void {
  validateQuota(quota, errors);
  const [now, before] = [new Set(quota.spec?.scopes ?? []), new Set(old.spec?.scopes ?? [])];
  if (now.size !== before.size || ![...now].every((scope) => before.has(scope))) {
    errors.invalid('spec.scopes', quota.spec?.scopes, fieldImmutableError);
  }
}

export function validateQuotaStatus(quota: Quota, errors: FieldErrors): void {
  validateList(quota.status?.hard, 'status.hard', errors);
  validateList(quota.status?.used, 'status.used', errors);
}

/** Requests that may exceed limits leave nothing that could use them. */
export function quotaWarnings(quota: Quota, old?: Quota): string[] {
  if (old !== undefined) return [];
  const hard = quota.spec?.hard ?? {};
  return ['cpu', 'memory', 'storage', 'ephemeral-storage'].flatMap((name) => {
    const bare = name === 'cpu' || name === 'memory';
    const requestName = hard[`requests.${name}`] === undefined && bare ? name : `requests.${name}`;
    const [request, limit] = [hard[requestName], hard[`limits.${name}`]];
    if (request === undefined || limit === undefined || compareQuantities(request, limit) <= 0) return [];
    return [`ResourceQuota ${requestName} (${request}) should be less than limits.${name} (${limit})`];
  });
}
