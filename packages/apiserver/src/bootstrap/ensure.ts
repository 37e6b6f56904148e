import { hasReason, type KubeObject, type ResourceDefinition } from '@skiff/apimachinery';
import type { ObjectAccess } from '../contract.ts';

/**
 * Creates `wanted`, or lets `adjust` change what is there (returning false leaves it alone). Two apiservers that start at once
 * do no harm to each other.
 */
export async function ensureObject<T extends KubeObject>(
  objects: ObjectAccess,
  definition: ResourceDefinition<T>,
  wanted: T,
  adjust: (draft: T) => boolean = () => false,
): Promise<void> {
  const namespace = wanted.metadata?.namespace ?? '';
  const name = wanted.metadata?.name ?? '';
  const found = objects.get(definition, namespace, name);
  if (found === undefined) {
    try {
      await objects.create(definition, wanted);
      return;
    } catch (error) {
      // The cache may be behind the other server, or this one. A Service that is there fails by its address, not by its name.
      if (!hasReason(error, 'AlreadyExists') && (await objects.read(definition, namespace, name)) === undefined) throw error;
    }
  } else if (!adjust(structuredClone(found) as T)) return;
  await objects.update(definition, namespace, name, (draft) => (adjust(draft) ? draft : undefined));
}
