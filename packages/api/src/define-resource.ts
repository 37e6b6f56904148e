import type { KubeObject, ResourceDefinition, ResourceStrategy, SubresourceDefinition } from '@skiff/apimachinery';

/** What a stored kind can do with generic REST, in discovery's (alphabetical) order. */
export const allVerbs: readonly string[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** Upstream's --event-ttl: an hour. */
export const eventTtlSeconds = 3600;

type Derived = 'singular' | 'listKind' | 'verbs' | 'storagePrefix';
export type ResourceFacts<T extends KubeObject> = Omit<ResourceDefinition<T>, Derived> & Partial<Pick<ResourceDefinition<T>, Derived>>;

/** Fills in what follows from the names: singular, list kind, all verbs, and a storage prefix equal to the plural. */
export function defineResource<T extends KubeObject>(facts: ResourceFacts<T>): ResourceDefinition<T> {
  return {
    singular: facts.kind.toLowerCase(),
    listKind: `${facts.kind}List`,
    verbs: allVerbs,
    storagePrefix: facts.plural,
    ...facts,
  };
}

/** The `status` subresource of a kind; its body is the parent object, of which only the status is taken. */
export function statusSubresource<T extends KubeObject>(
  kind: string,
  strategy: ResourceStrategy<T> = statusStrategy<T>(),
): SubresourceDefinition<T> {
  return { kind, verbs: ['get', 'patch', 'update'], strategy, resetFields: ['spec'] };
}

/** autoscaling/v1 Scale of a workload: generic get, update and patch of `spec.replicas`. */
export const scaleSubresource = {
  kind: 'Scale',
  group: 'autoscaling',
  version: 'v1',
  verbs: ['get', 'patch', 'update'],
} satisfies SubresourceDefinition<KubeObject>;

/** What a write to `status` may not touch: the spec stays as it was. */
export function statusStrategy<T extends KubeObject>(more: ResourceStrategy<T> = {}): ResourceStrategy<T> {
  return {
    ...more,
    prepareForUpdate(draft, old, context) {
      keepField(draft, old, 'spec');
      more.prepareForUpdate?.(draft, old, context);
    },
  };
}

/** Makes `draft[field]` what it is in `old`, absent included. */
export function keepField<D extends object, O extends object>(draft: D, old: O, field: string): void {
  const from = old as Record<string, unknown>;
  const to = draft as Record<string, unknown>;
  if (from[field] === undefined) delete to[field];
  else to[field] = structuredClone(from[field]);
}
