import type { DeepReadonly, KubeObject } from '@skiff/apimachinery';
import type { ResourceList } from '../core/v1/resource-list.ts';
import type { ResourceQuota, ScopedResourceSelectorRequirement } from '../generated/types/core-v1.ts';

export type Scope = DeepReadonly<ScopedResourceSelectorRequirement>;

/** A write as far as quota is concerned. */
export interface QuotaAttributes {
  readonly operation: 'CREATE' | 'UPDATE';
  readonly subresource: string;
  readonly object: DeepReadonly<KubeObject>;
  readonly oldObject: DeepReadonly<KubeObject> | undefined;
}

/** How objects of one resource count against a ResourceQuota. Pure. */
export interface QuotaEvaluator {
  readonly group: string;
  readonly resource: string;
  /** Does this write change what is used? */
  handles(a: QuotaAttributes): boolean;
  /** Of these names of a quota those that this resource uses. */
  matchingResources(names: readonly string[]): readonly string[];
  /** Does the object belong to this scope? No scope at all where the resource knows none. */
  matchesScope(scope: Scope, object: DeepReadonly<KubeObject>): boolean;
  /** What an object must name so that these resources can be counted; a sentence where it doesn't. */
  missing?(names: readonly string[], object: DeepReadonly<KubeObject>): string | undefined;
  /** What the object uses; `nowMs` since deleted pods stop counting in time. */
  usage(object: DeepReadonly<KubeObject>, nowMs: number): ResourceList;
}

/** The scopes of a quota, old form and new. */
export function quotaScopes(quota: DeepReadonly<ResourceQuota>): readonly Scope[] {
  return [
    ...(quota.spec?.scopes ?? []).map((scopeName): Scope => ({ scopeName, operator: 'Exists' })),
    ...(quota.spec?.scopeSelector?.matchExpressions ?? []),
  ];
}

/** Does the quota watch anything that this object uses, and does the object belong to all its scopes? */
export function quotaMatches(
  quota: DeepReadonly<ResourceQuota>,
  hard: DeepReadonly<ResourceList>,
  evaluator: QuotaEvaluator,
  object: DeepReadonly<KubeObject>,
): boolean {
  if (evaluator.matchingResources(Object.keys(hard)).length === 0) return false;
  return quotaScopes(quota).every((scope) => evaluator.matchesScope(scope, object));
}

/** A scope's selector over a value that may be absent: In, NotIn, Exists, DoesNotExist as for labels. */
export function scopeSelects(scope: Scope, value: string | undefined): boolean {
  switch (scope.operator) {
    case 'In':
      return value !== undefined && (scope.values ?? []).includes(value);
    case 'NotIn':
      return value === undefined || !(scope.values ?? []).includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

/** `count/deployments.apps`, `count/pods`: the generic name of a number of objects. */
export const objectCountName = (group: string, resource: string): string => `count/${resource}${group === '' ? '' : `.${group}`}`;
