import type {
  DeepReadonly,
  FieldErrors,
  KubeObject,
  ResourceDefinition,
  ResourceStrategy,
  SubresourceDefinition,
} from '@skiff/apimachinery';

/** What a stored kind can do with generic REST, in discovery's (alphabetical) order. */
export const allVerbs: readonly string[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** Upstream's --event-ttl: an hour. */
export const eventTtlSeconds = 3600;

type Derived = 'singular' | 'listKind' | 'verbs' | 'storagePrefix';
export type ResourceFacts<T extends KubeObject> = Omit<ResourceDefinition<T>, Derived> & Partial<Pick<ResourceDefinition<T>, Derived>>;

/** Fills in what follows from the names: singular, list kind, all verbs, and a storage prefix equal to the plural. */
export function defineResource<T extends KubeObject>(facts: ResourceFacts<T>): ResourceDefinition<T> {
  const checked =
    finalizersOfAnyName.has(facts.group) || kindsOfAnyFinalizer.has(facts.kind) ? facts : { ...facts, ...withFinalizerCheck(facts) };
  return {
    singular: facts.kind.toLowerCase(),
    listKind: `${facts.kind}List`,
    verbs: allVerbs,
    storagePrefix: facts.plural,
    ...checked,
  };
}

/** Groups that upstream serves from elsewhere, where any qualified name does. */
const finalizersOfAnyName: ReadonlySet<string> = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io']);
/** Kinds whose validation doesn't ask upstream's core for its opinion on metadata. */
const kindsOfAnyFinalizer: ReadonlySet<string> = new Set([
  'Event',
  'Lease',
  'MutatingWebhookConfiguration',
  'PodDisruptionBudget',
  'RuntimeClass',
  'ValidatingWebhookConfiguration',
]);
const standardFinalizers: ReadonlySet<string> = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/** Finalizers of built-in kinds have a domain, or are one of the three old ones. */
function validateFinalizers(object: DeepReadonly<KubeObject>, errors: FieldErrors): void {
  for (const [i, finalizer] of (object.metadata?.finalizers ?? []).entries()) {
    if (finalizer.includes('/') || standardFinalizers.has(finalizer)) continue;
    errors.invalid(`metadata.finalizers[${i}]`, finalizer, 'name is neither a standard finalizer name nor is it fully qualified');
  }
}

function withFinalizerCheck<T extends KubeObject>(
  facts: Pick<ResourceDefinition<T>, 'strategy' | 'subresources'>,
): Pick<ResourceDefinition<T>, 'strategy' | 'subresources'> {
  const check = (strategy: ResourceStrategy<T> = {}): ResourceStrategy<T> => ({
    ...strategy,
    validate(object, errors, context) {
      validateFinalizers(object, errors);
      strategy.validate?.(object, errors, context);
    },
    validateUpdate(object, old, errors, context) {
      validateFinalizers(object, errors);
      strategy.validateUpdate?.(object, old, errors, context);
    },
  });
  const subresources = Object.entries(facts.subresources ?? {}).map(([name, s]): [string, SubresourceDefinition<T>] => [
    name,
    s.strategy === undefined ? s : { ...s, strategy: check(s.strategy) },
  ]);
  return {
    strategy: check(facts.strategy),
    ...(facts.subresources === undefined ? {} : { subresources: Object.fromEntries(subresources) }),
  };
}
