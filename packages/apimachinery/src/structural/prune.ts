import { setKey } from '../json-exact.ts';
import type { Json, JsonObject } from '../object.ts';
import { additionalSchema, propertyOf, type StructuralSchema } from './schema.ts';

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const metaFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/**
 * Removes, in place, what the schema does not specify, and returns the paths of what went (sorted). Type and object meta at the root
 * and in embedded resources stay.
 */
export function pruneUnknown(object: JsonObject, schema: StructuralSchema): string[] {
  const unknown: string[] = [];
  const root: StructuralSchema = { ...schema, 'x-kubernetes-embedded-resource': true };

  const prune = (value: Json, s: StructuralSchema | undefined, path: string): void => {
    const preserve = s?.['x-kubernetes-preserve-unknown-fields'] === true;
    if (isObject(value)) {
      for (const key of Object.keys(value)) {
        if (s?.['x-kubernetes-embedded-resource'] === true && metaFields.has(key)) continue;
        const below = s === undefined ? undefined : (propertyOf(s, key) ?? additionalSchema(s));
        const place = path === '' ? key : `${path}.${key}`;
        if (below !== undefined) prune(value[key]!, below, place);
        else if (!preserve) {
          unknown.push(place);
          delete value[key];
        }
      }
    } else if (Array.isArray(value) && !(preserve && s?.items === undefined)) {
      value.forEach((item, i) =>
        prune(item, preserve ? { 'x-kubernetes-preserve-unknown-fields': true, ...s?.items } : s?.items, `${path}[${i}]`),
      );
    }
  };
  prune(object, root, '');
  return unknown.sort();
}

/** Removes, in place, nulls where the schema allows none and has no default to put there. */
export function pruneNulls(value: Json, schema: StructuralSchema | undefined): void {
  if (isObject(value)) {
    for (const key of Object.keys(value)) {
      const s = schema === undefined ? undefined : (propertyOf(schema, key) ?? additionalSchema(schema));
      const v = value[key]!;
      if (v === null && s !== undefined && s.nullable !== true && s.default === undefined) delete value[key];
      else pruneNulls(v, s);
    }
  } else if (Array.isArray(value)) {
    for (const item of value) pruneNulls(item, schema?.items);
  }
}

const isBadNull = (value: Json | undefined, s: StructuralSchema | undefined): boolean =>
  value === null && s !== undefined && s.nullable !== true;
const copy = (value: Json): Json => (typeof value === 'object' && value !== null ? structuredClone(value) : value);

/** Puts defaults, in place, where a value is absent, or null where it must not be. */
export function applyStructuralDefaults(value: Json, schema: StructuralSchema | undefined): void {
  if (schema === undefined) return;
  if (isObject(value)) {
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      if (property.default === undefined || property.default === null) continue;
      if (value[key] === undefined || isBadNull(value[key], property)) setKey(value, key, copy(property.default));
    }
    for (const key of Object.keys(value)) {
      const property = propertyOf(schema, key);
      const s = property ?? additionalSchema(schema);
      if (property === undefined && isBadNull(value[key], s)) setKey(value, key, copy(s!.default ?? null));
      applyStructuralDefaults(value[key]!, s);
    }
  } else if (Array.isArray(value)) {
    value.forEach((item, i) => {
      if (isBadNull(item, schema.items)) value[i] = copy(schema.items?.default ?? null);
      applyStructuralDefaults(value[i]!, schema.items);
    });
  }
}
