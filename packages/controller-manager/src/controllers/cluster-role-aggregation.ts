import { clusterRole as clusterRoles, type ClusterRole, type PolicyRule } from '@skiff/api';
import { keyOf, type DeepReadonly } from '@skiff/apimachinery';
import { defineController, mapped } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { labelSelectorMatcher } from '../label-selector.ts';
import { semanticEqual } from '../semantic-equality.ts';

type RoleView = DeepReadonly<ClusterRole>;

/** The rules of all roles that the aggregation selects, in order of their names, each rule once. */
export function aggregateRules(role: RoleView, all: readonly RoleView[]): PolicyRule[] {
  const rules: PolicyRule[] = [];
  const byName = [...all].sort((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1));
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    const matches = labelSelectorMatcher(selector);
    for (const other of byName) {
      if (other.metadata?.name === role.metadata?.name || !matches(other.metadata?.labels)) continue;
      for (const rule of other.rules ?? []) if (!rules.some((r) => semanticEqual(r, rule))) rules.push(structuredClone(rule) as PolicyRule);
    }
  }
  return rules;
}

/** Fills ClusterRoles that are put together from others: admin, edit, view. */
export const clusterRoleAggregationController: ControllerDescriptor = {
  name: 'clusterrole-aggregation-controller',
  define: () =>
    defineController({
      name: 'clusterrole-aggregation-controller',
      concurrency: 5,
      // Any role may be a part of any aggregated one; these are few.
      sources: [
        mapped(clusterRoles, (_role, { informers }) =>
          informers
            .informer(clusterRoles)
            .list()
            .filter((r) => r.aggregationRule !== undefined)
            .map((r) => keyOf(r)),
        ),
      ],
      create: ({ informers }) => {
        const informer = informers.informer(clusterRoles);
        return async (key, { client, signal }) => {
          const role = informer.get(key);
          if (role?.aggregationRule === undefined) return;
          const rules = aggregateRules(role, informer.list());
          if (semanticEqual(role.rules ?? [], rules)) return;
          await client.update(clusterRoles, { ...(structuredClone(role) as ClusterRole), rules }, { signal });
        };
      },
    }),
};
