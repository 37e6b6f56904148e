import {
  addResources,
  equalResources,
  maskResources,
  type QuotaEvaluator,
  quotaResources,
  quotaScopes,
  type ResourceQuota,
  type ResourceQuotaStatus,
} from '@skiff/api';
import { compareQuantities, type DeepReadonly, type KubeObject } from '@skiff/apimachinery';

type QuotaView = DeepReadonly<ResourceQuota>;
type Quantities = Record<string, string>;

/** What counts against the quota: its evaluators, each with the quota's names that it answers for. */
export const evaluatorsOf = (quota: QuotaView): readonly QuotaEvaluator[] => quotaResources(Object.keys(quota.spec?.hard ?? {}));

/** The status that the objects there are call for. `list` gives a resource's objects in the quota's namespace. */
export function computeQuotaStatus(
  quota: QuotaView,
  list: (evaluator: QuotaEvaluator) => Iterable<DeepReadonly<KubeObject>>,
  nowMs: number,
): ResourceQuotaStatus {
  const hard: Quantities = { ...quota.spec?.hard };
  const names = Object.keys(hard);
  const scopes = quotaScopes(quota);
  let used: Quantities = maskResources(quota.status?.used ?? {}, names);
  for (const evaluator of evaluatorsOf(quota)) {
    const own = evaluator.matchingResources(names);
    let sum: Quantities = Object.fromEntries(own.map((name) => [name, '0']));
    for (const object of list(evaluator)) {
      if (!scopes.every((scope) => evaluator.matchesScope(scope, object))) continue;
      sum = addResources(sum, maskResources(evaluator.usage(object, nowMs), own));
    }
    used = { ...used, ...sum };
  }
  return { hard, used };
}

export const sameQuotaStatus = (a: QuotaView['status'], b: ResourceQuotaStatus): boolean =>
  equalResources(a?.hard, b.hard ?? {}) && equalResources(a?.used, b.used ?? {});

/** The new status with every charge that is higher now left as it is. */
export function withoutGivingBack(a: QuotaView['status'], b: ResourceQuotaStatus): ResourceQuotaStatus {
  const used: Quantities = {};
  for (const [name, next] of Object.entries(b.used ?? {})) {
    const now = a?.used?.[name];
    used[name] = now !== undefined && compareQuantities(now, next) > 0 ? now : next;
  }
  return { ...b, used };
}

/** Would the new status take back something that is charged now? */
export const givesBack = (a: QuotaView['status'], b: ResourceQuotaStatus): boolean =>
  Object.entries(a?.used ?? {}).some(([name, quantity]) => {
    const next = b.used?.[name];
    return next !== undefined && compareQuantities(next, quantity) < 0;
  });
