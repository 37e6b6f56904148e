import type { FieldErrors } from '../field-error.ts';
import { jsonText } from '../json-text.ts';
import type { Json, JsonObject } from '../object.ts';
import { additionalSchema, propertyOf, type StructuralSchema } from './schema.ts';

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Sets and keyed lists may have each element once. Every repeated element is reported at its first repetition. */
export function validateListTypes(s: StructuralSchema, value: Json, path: string, errors: FieldErrors): void {
  if (Array.isArray(value)) {
    const listType = s['x-kubernetes-list-type'];
    if (listType === 'set') for (const i of repeated(value)) errors.duplicate(`${path}[${i}]`, value[i]);
    if (listType === 'map') validateKeys(s, value, path, errors);
    if (s.items !== undefined) value.forEach((item, i) => validateListTypes(s.items!, item, `${path}[${i}]`, errors));
  } else if (isObject(value)) {
    for (const key of Object.keys(value).sort()) {
      const property = propertyOf(s, key);
      const below = property ?? additionalSchema(s);
      if (below === undefined) continue;
      validateListTypes(below, value[key]!, property === undefined ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`, errors);
    }
  }
}

function repeated(values: readonly Json[]): number[] {
  const times = new Map<string, number>();
  const out: number[] = [];
  values.forEach((value, i) => {
    const text = jsonText(value, true);
    const seen = times.get(text) ?? 0;
    if (seen === 1) out.push(i);
    times.set(text, seen + 1);
  });
  return out;
}

function validateKeys(s: StructuralSchema, value: readonly Json[], path: string, errors: FieldErrors): void {
  const bad = value.findIndex((item) => item !== null && !isObject(item));
  if (bad >= 0) return errors.invalid(`${path}[${bad}]`, value[bad], 'must be an object for an array of list-type map');
  const keys = value.map((item) => {
    const key: JsonObject = {};
    for (const name of s['x-kubernetes-list-map-keys'] ?? []) if (isObject(item) && item[name] !== undefined) key[name] = item[name];
    return key;
  });
  for (const i of repeated(keys)) errors.duplicate(`${path}[${i}]`, keys[i]);
}
