import { isDeepStrictEqual } from 'node:util';
import { clusterRole, type ClusterRole, type PolicyRule } from '@skiff/api';
import { type DeepReadonly, labelSelectorMatcher, SelectorError } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';
import type { ObjectAccess } from '../contract.ts';

type Role = DeepReadonly<ClusterRole>;

function selects(r: Role, other: Role): boolean {
  const labels = other.metadata?.labels ?? {};
  return (r.aggregationRule?.clusterRoleSelectors ?? []).some((selector) => {
    try {
      return labelSelectorMatcher(selector).matches(labels);
    } catch (error) {
      if (error instanceof SelectorError) return false;
      throw error;
    }
  });
}

const byName = (a: Role, b: Role): number => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1);
const deepest = 5;

/** Union of the rules of all roles that one of the role's selectors matches, by name, each once. Aggregated roles may select aggregated ones. */
export function aggregateRules(r: Role, roles: readonly Role[], depth = 0): PolicyRule[] {
  const rules = new Map<string, PolicyRule>();
  for (const other of roles.toSorted(byName)) {
    if (other.metadata?.name === r.metadata?.name || !selects(r, other)) continue;
    const own = other.aggregationRule !== undefined && depth < deepest ? aggregateRules(other, roles, depth + 1) : (other.rules ?? []);
    for (const rule of own) rules.set(JSON.stringify(rule), structuredClone(rule) as PolicyRule);
  }
  return [...rules.values()];
}

/** Changes come in bursts: at start-up, and when somebody applies a chart. */
const settleMs = 100;

/**
 * Keeps the rules of cluster roles with an aggregationRule what their selectors say. It lives in the server, beside RBAC, so that
 * `admin`, `edit` and `view` never lag behind a role that has just been labelled. Runs until aborted.
 */
export async function runRoleAggregation(deps: { objects: ObjectAccess; clock: Clock; log: Logger }, signal: AbortSignal): Promise<void> {
  const { objects, clock, log } = deps;
  let dirty = true;
  let wake = (): void => undefined;
  using _subscription = objects.subscribe<ClusterRole>(clusterRole, () => {
    dirty = true;
    wake();
  });
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      if (!dirty) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (dirty || signal.aborted) resolve();
        });
        if (signal.aborted) return;
        await clock.sleep(settleMs, signal);
      }
      dirty = false;
      const roles = objects.list<ClusterRole>(clusterRole);
      for (const r of roles) {
        if (r.aggregationRule === undefined) continue;
        const rules = aggregateRules(r, roles);
        if (isDeepStrictEqual(JSON.parse(JSON.stringify(r.rules ?? [])), JSON.parse(JSON.stringify(rules)))) continue;
        await objects.update<ClusterRole>(clusterRole, '', r.metadata?.name ?? '', (draft) =>
          draft.aggregationRule === undefined ? undefined : { ...draft, rules },
        );
        log.debug({ role: r.metadata?.name }, 'aggregated cluster role updated');
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
