import type { Json, JsonObject } from '../object.ts';
import { appliedFields, TypedError } from './applied-set.ts';
import { mergeObjects } from './merge-objects.ts';
import type { MergeMap, MergeType } from './merge-type.ts';

/** A configuration that can't be merged; the message is upstream's. */
export class NotMergeableError extends Error {
  override readonly name = 'NotMergeableError';
}

/** Paths of atomic lists, maps and structs in a configuration: all that it does not name there would be lost. */
function atomicPaths(type: MergeType, value: Json, path: string, found: string[]): void {
  if (Array.isArray(value)) {
    if (type.kind === 'untyped' || (type.kind === 'list' && type.relation === 'atomic')) found.push(path);
    if (type.kind === 'list') for (const [i, item] of value.entries()) atomicPaths(type.element, item, `${path}[${i}]`, found);
    return;
  }
  if (typeof value !== 'object' || value === null || type.kind !== 'map') return;
  if (type.atomic) found.push(path);
  for (const name of Object.keys(value)) {
    const field = type.fields.get(name);
    if (field !== undefined) atomicPaths(field.type, value[name]!, `${path}.${name}`, found);
  }
}

/**
 * Merges a configuration into a live object as server-side apply does, without owners of fields. The arguments are not changed; the
 * result shares parts with them. Throws NotMergeableError.
 */
export function mergeConfiguration(type: MergeMap, live: JsonObject, configuration: JsonObject): JsonObject {
  try {
    appliedFields(type, configuration);
  } catch (error) {
    if (error instanceof TypedError) throw new NotMergeableError(`failed to convert patch object to typed object: ${error.message}`);
    throw error;
  }
  const atomics: string[] = [];
  atomicPaths(type, configuration, '', atomics);
  if (atomics.length > 0) {
    throw new NotMergeableError(`invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(', ')}`);
  }
  return mergeObjects(type, live, configuration);
}
