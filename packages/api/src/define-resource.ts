import type { KubeObject, ResourceDefinition } from '@skiff/apimachinery';

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
