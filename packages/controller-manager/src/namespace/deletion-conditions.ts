import type { NamespaceCondition } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { formatTime } from '@skiff/component-base';

/** What stood in the way of emptying a namespace. */
export interface DeletionFindings {
  readonly discoveryFailures: ReadonlyMap<string, string>;
  readonly errors: readonly string[];
  /** `plural.group` → how many. Empty as long as only pods were dealt with. */
  readonly remaining: ReadonlyMap<string, number>;
  readonly finalizers: ReadonlyMap<string, number>;
}

/** In the order in which they stand in the status. */
const fine = [
  ['NamespaceDeletionDiscoveryFailure', 'ResourcesDiscovered', 'All resources successfully discovered'],
  ['NamespaceDeletionGroupVersionParsingFailure', 'ParsedGroupVersions', 'All legacy kube types successfully parsed'],
  ['NamespaceDeletionContentFailure', 'ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
  ['NamespaceContentRemaining', 'ContentRemoved', 'All content successfully removed'],
  ['NamespaceFinalizersRemaining', 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
] as const;

const listed = (counts: ReadonlyMap<string, number>, text: (name: string, count: number) => string): string =>
  [...counts]
    .map(([name, count]) => text(name, count))
    .sort()
    .join(', ');

function troubles(f: DeletionFindings): ReadonlyMap<string, { reason: string; message: string }> {
  const found = new Map<string, { reason: string; message: string }>();
  if (f.discoveryFailures.size > 0) {
    const failures = [...f.discoveryFailures].map(([groupVersion, why]) => `${groupVersion}: ${why}`).join(', ');
    found.set('NamespaceDeletionDiscoveryFailure', {
      reason: 'DiscoveryFailed',
      message: `Discovery failed for some groups, ${f.discoveryFailures.size} failing: unable to retrieve the complete list of server APIs: ${failures}`,
    });
  }
  if (f.errors.length > 0)
    found.set('NamespaceDeletionContentFailure', {
      reason: 'ContentDeletionFailed',
      message: `Failed to delete all resource types, ${f.errors.length} remaining: ${[...f.errors].sort().join(', ')}`,
    });
  if (f.remaining.size > 0)
    found.set('NamespaceContentRemaining', {
      reason: 'SomeResourcesRemain',
      message: `Some resources are remaining: ${listed(f.remaining, (name, count) => `${name} has ${count} resource instances`)}`,
    });
  if (f.finalizers.size > 0)
    found.set('NamespaceFinalizersRemaining', {
      reason: 'SomeFinalizersRemain',
      message: `Some content in the namespace has finalizers remaining: ${listed(f.finalizers, (name, count) => `${name} in ${count} resource instances`)}`,
    });
  return found;
}

/** The namespace's conditions after a round of deletion; undefined when they say this already. */
export function computeDeletionConditions(
  current: readonly DeepReadonly<NamespaceCondition>[],
  findings: DeletionFindings,
  nowMs: number,
): NamespaceCondition[] | undefined {
  const found = troubles(findings);
  const result = current.map((c) => ({ ...c })) as NamespaceCondition[];
  let changed = false;
  for (const [type, okReason, okMessage] of fine) {
    const trouble = found.get(type);
    const status = trouble === undefined ? 'False' : 'True';
    const { reason, message } = trouble ?? { reason: okReason, message: okMessage };
    const index = result.findIndex((c) => c.type === type);
    const old = result[index];
    if (old !== undefined && old.status === status && old.reason === reason && old.message === message) continue;
    changed = true;
    const since = old?.status === status && old.lastTransitionTime ? old.lastTransitionTime : formatTime(nowMs);
    const next: NamespaceCondition = { type, status, lastTransitionTime: since, reason, message };
    if (index < 0) result.push(next);
    else result[index] = next;
  }
  return changed ? result : undefined;
}
