import { isDeepStrictEqual } from 'node:util';
import type { ClusterRole, ClusterRoleBinding, RoleBinding } from '@skiff/api';
import { type DeepReadonly, type JsonObject, notFound } from '@skiff/apimachinery';
import { mastersGroup } from '../authn/authenticator.ts';
import type { Authorization } from '../authz/authorization.ts';
import { resourceAttributes } from '../authz/authorizer.ts';
import { type Rule, uncoveredRules } from '../authz/policy-rule.ts';
import type { AdmissionRequest } from '../contract.ts';
import type { AdmissionPlugin } from './plugin.ts';
import { refuse } from './refuse.ts';

const group = 'rbac.authorization.k8s.io';
const fullAuthority: readonly Rule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

const quoteList = (list: readonly string[]): string => `[${list.map((s) => JSON.stringify(s)).join(' ')}]`;

function describeRule(r: Rule): string {
  const parts = (
    [
      ['APIGroups', r.apiGroups],
      ['Resources', r.resources],
      ['NonResourceURLs', r.nonResourceURLs],
      ['ResourceNames', r.resourceNames],
      ['Verbs', r.verbs],
    ] as const
  ).flatMap(([name, list]) => (list === undefined || list === null || list.length === 0 ? [] : [`${name}:${quoteList(list)}`]));
  return `{${parts.join(', ')}}`;
}

/** Rules about the same resource as one, with all their verbs: shorter to read. */
export function compactRules(rules: readonly Rule[]): readonly Rule[] {
  const simple = new Map<string, Rule>();
  const out: Rule[] = [];
  for (const r of rules) {
    if (
      r.apiGroups?.length !== 1 ||
      r.resources?.length !== 1 ||
      (r.resourceNames?.length ?? 0) > 0 ||
      (r.nonResourceURLs?.length ?? 0) > 0
    ) {
      out.push(r);
      continue;
    }
    const key = `${r.apiGroups[0]}/${r.resources[0]}`;
    const merged = simple.get(key);
    simple.set(key, merged === undefined ? r : { ...merged, verbs: [...new Set([...(merged.verbs ?? []), ...(r.verbs ?? [])])] });
  }
  return [...out, ...simple.values()];
}

/** Only what the garbage collector needs to change: owners and finalizers. */
function changesOnlyOwnership(r: AdmissionRequest): boolean {
  if (r.operation !== 'UPDATE' || r.oldObject === null || r.object === null) return false;
  const strip = (o: DeepReadonly<JsonObject>): JsonObject => {
    const copy = structuredClone(o) as JsonObject;
    const metadata = copy['metadata'] as JsonObject | undefined;
    for (const field of ['ownerReferences', 'finalizers', 'managedFields', 'resourceVersion', 'generation']) delete metadata?.[field];
    return copy;
  };
  return isDeepStrictEqual(strip(r.object), strip(r.oldObject));
}

/**
 * Nobody grants what they don't have: roles may hold and bindings may bind only what the writer may do, unless the writer may
 * `escalate` (roles) or `bind` (bindings). Where upstream's storage of RBAC objects does it, on the final object.
 */
export const rbacEscalation = (authorization: Authorization): AdmissionPlugin => {
  const may = (r: AdmissionRequest, verb: string, resource: string, namespace: string, name: string): Promise<boolean> =>
    Promise.resolve(
      authorization.authorizer.authorize(resourceAttributes(r.user, { verb, group, version: '*', resource, namespace, name })),
    ).then((d) => d.decision === 'allow');

  const confirm = (r: AdmissionRequest, wanted: readonly Rule[], why?: string): void => {
    const owned = authorization.rules.rulesFor(r.user, r.namespace);
    const missing = uncoveredRules(owned.rules, wanted);
    if (missing.length === 0) return;
    if (why !== undefined) throw refuse(r, why);
    const lines = [...new Set(compactRules(missing).map(describeRule))].sort().join('\n');
    const problems = owned.problems.length === 0 ? '' : `; resolution errors: [${owned.problems.join(' ')}]`;
    throw refuse(
      r,
      `user ${JSON.stringify(r.user.name)} (groups=${quoteList(r.user.groups)}) is attempting to grant RBAC permissions not currently held:\n${lines}${problems}`,
    );
  };

  const checkRole = async (r: AdmissionRequest): Promise<void> => {
    if (await may(r, 'escalate', r.definition.plural, r.namespace, r.name)) return;
    const wanted = r.object as unknown as ClusterRole;
    const old = r.oldObject as unknown as DeepReadonly<ClusterRole> | null;
    confirm(r, wanted.rules ?? []);
    if (wanted.aggregationRule !== undefined || old?.aggregationRule !== undefined)
      confirm(r, fullAuthority, 'must have cluster-admin privileges to use the aggregationRule');
  };

  const checkBinding = async (r: AdmissionRequest): Promise<void> => {
    const ref = (r.object as unknown as RoleBinding | ClusterRoleBinding).roleRef;
    const resource = ref.kind === 'Role' ? 'roles' : 'clusterroles';
    if (await may(r, 'bind', resource, r.namespace, ref.name)) return;
    const rules = authorization.rules.rulesOf(ref, r.namespace);
    if (rules === undefined) throw notFound({ group, resource }, ref.name);
    confirm(r, rules);
  };

  return {
    name: 'RBACEscalation',
    handles: (r) => r.definition.group === group && r.subresource === '' && (r.operation === 'CREATE' || r.operation === 'UPDATE'),
    validate: async (r) => {
      if (r.user.groups.includes(mastersGroup) || changesOnlyOwnership(r)) return;
      if (r.definition.plural === 'roles' || r.definition.plural === 'clusterroles') await checkRole(r);
      else await checkBinding(r);
    },
  };
};
