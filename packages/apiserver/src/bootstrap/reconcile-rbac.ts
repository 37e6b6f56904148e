import {
  clusterRole,
  clusterRoleBinding,
  role,
  roleBinding,
  type ClusterRole,
  type ClusterRoleBinding,
  type PolicyRule,
  type Role,
  type RoleBinding,
  type Subject,
} from '@skiff/api';
import { hasReason, type KubeObject, type ObjectMeta, type ResourceDefinition } from '@skiff/apimachinery';
import { uncoveredRules } from '../authz/policy-rule.ts';
import type { ObjectAccess } from '../contract.ts';
import { aggregateRules } from './aggregate-roles.ts';
import { componentRoles } from './component-roles.ts';
import { controllerRoles } from './controller-roles.ts';
import { namespaceRoles } from './namespace-roles.ts';
import {
  account,
  autoUpdateAnnotation,
  type BootstrapBinding,
  renderClusterRole,
  renderClusterRoleBinding,
  renderRole,
  renderRoleBinding,
  user,
} from './rbac-notation.ts';
import { clusterRoleBindings, roleBindings } from './role-bindings.ts';
import { userRoles } from './user-roles.ts';

const controllerPrefix = 'system:controller:';
/** All loops run in one process as this user, where upstream gives each a ServiceAccount of its own (which is bound as well). */
const controllerManager = user('system:kube-controller-manager');

const controllerBinding = (name: string): BootstrapBinding => ({
  name,
  role: name,
  subjects: [account(name.slice(controllerPrefix.length)), controllerManager],
});

type Ruled = { metadata?: ObjectMeta; rules?: PolicyRule[] | null; aggregationRule?: ClusterRole['aggregationRule'] };

function mergeMetadata(draft: KubeObject, wanted: KubeObject): boolean {
  let changed = false;
  draft.metadata ??= {};
  for (const field of ['labels', 'annotations'] as const) {
    const into = (draft.metadata[field] ??= {});
    for (const [key, value] of Object.entries(wanted.metadata?.[field] ?? {})) {
      if (into[key] === value) continue;
      into[key] = value;
      changed = true;
    }
  }
  return changed;
}

/** Adds to `draft` what it lacks; what administrators added stays. False when nothing was missing. */
export function mergeRole(draft: Ruled, wanted: Ruled): boolean {
  let changed = mergeMetadata(draft, wanted);
  if (wanted.aggregationRule !== undefined) {
    if (draft.aggregationRule === undefined) {
      draft.aggregationRule = wanted.aggregationRule;
      changed = true;
    }
    return changed;
  }
  const missing = (wanted.rules ?? []).filter((r) => uncoveredRules(draft.rules ?? [], [r]).length > 0);
  if (missing.length > 0) {
    draft.rules = [...(draft.rules ?? []), ...missing];
    changed = true;
  }
  return changed;
}

const sameSubject = (a: Subject, b: Subject): boolean =>
  a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');

export function mergeBinding(
  draft: { metadata?: ObjectMeta; subjects?: Subject[] },
  wanted: { metadata?: ObjectMeta; subjects?: Subject[] },
): boolean {
  const changed = mergeMetadata(draft, wanted);
  const missing = (wanted.subjects ?? []).filter((s) => !(draft.subjects ?? []).some((have) => sameSubject(have, s)));
  if (missing.length > 0) draft.subjects = [...(draft.subjects ?? []), ...missing];
  return changed || missing.length > 0;
}

/**
 * Creates the default roles and bindings and adds what is missing from those that exist, unless their autoupdate annotation
 * says `false`. Idempotent; several apiservers may do it at once.
 */
export async function reconcileRbac(objects: ObjectAccess): Promise<void> {
  async function ensure<T extends KubeObject>(
    definition: ResourceDefinition<T>,
    wanted: T,
    merge: (draft: T, wanted: T) => boolean,
  ): Promise<void> {
    const namespace = wanted.metadata?.namespace ?? '';
    const name = wanted.metadata?.name ?? '';
    const found = objects.get(definition, namespace, name);
    if (found === undefined) {
      try {
        await objects.create(definition, wanted);
        return;
      } catch (error) {
        if (!hasReason(error, 'AlreadyExists')) throw error;
      }
    } else if (found.metadata?.annotations?.[autoUpdateAnnotation] === 'false' || !merge(structuredClone(found) as T, wanted)) return;
    await objects.update(definition, namespace, name, (draft) => {
      if (draft.metadata?.annotations?.[autoUpdateAnnotation] === 'false') return undefined;
      return merge(draft, wanted) ? draft : undefined;
    });
  }
  await Promise.all(
    [...componentRoles, ...controllerRoles, ...userRoles].map((r) =>
      ensure<ClusterRole>(clusterRole, withAggregatedRules(renderClusterRole(r)), mergeRole),
    ),
  );
  await Promise.all([
    ...namespaceRoles.map((r) => ensure<Role>(role, renderRole(r), mergeRole)),
    ...[...clusterRoleBindings, ...controllerRoles.map((r) => controllerBinding(r.name))].map((b) =>
      ensure<ClusterRoleBinding>(clusterRoleBinding, renderClusterRoleBinding(b), mergeBinding),
    ),
    ...roleBindings.map((b) =>
      ensure<RoleBinding>(
        roleBinding,
        renderRoleBinding(b.name.startsWith(controllerPrefix) ? { ...b, subjects: [...b.subjects, controllerManager] } : b),
        mergeBinding,
      ),
    ),
  ]);
}

/** The rules that an aggregated role has from the first moment on: those of the default roles it selects. */
function withAggregatedRules(r: ClusterRole): ClusterRole {
  if (r.aggregationRule === undefined) return r;
  const all = [...componentRoles, ...controllerRoles, ...userRoles].map(renderClusterRole);
  return { ...r, rules: aggregateRules(r, all) };
}
