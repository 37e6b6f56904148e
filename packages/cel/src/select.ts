import { CelError, CelList, CelMap, none, noSuchKey, Optional, Uint, type Value } from './values.ts';

const keyLabel = (key: Value): string => (key instanceof Uint ? String(key.value) : String(key));

function listIndex(key: Value): number | undefined {
  if (typeof key === 'bigint') return Number(key);
  if (key instanceof Uint) return Number(key.value);
  return typeof key === 'number' && Number.isInteger(key) ? key : undefined;
}

function lookup(v: Value, key: Value): Value | undefined {
  if (v instanceof CelMap) return v.find(key);
  // What has neither fields nor elements has no such field.
  if (!(v instanceof CelList)) return undefined;
  const i = listIndex(key);
  if (typeof key === 'number' && i === undefined) return new CelError(`unsupported index value ${key} in list`);
  if (i === undefined) return new CelError(`unsupported index type '${typeof key === 'string' ? 'string' : typeof key}' in list`);
  return i >= 0 && i < v.size ? v.at(i) : undefined;
}

const absent = (v: Value, key: Value): CelError =>
  v instanceof CelList ? new CelError(`index out of bounds: ${keyLabel(key)}`) : noSuchKey(keyLabel(key));

/** `v.key` or `v[key]`; an optional gives an optional. */
export function find(v: Value, key: Value): Value {
  if (v instanceof CelError) return v;
  if (v instanceof Optional) return v.value === undefined ? none : findOptional(v.value, key);
  const found = lookup(v, key);
  return found === undefined ? absent(v, key) : found;
}

/** `v.?key` or `v[?key]`. */
export function findOptional(v: Value, key: Value): Value {
  if (v instanceof CelError) return v;
  if (v instanceof Optional) return v.value === undefined ? none : findOptional(v.value, key);
  const found = lookup(v, key);
  if (found === undefined) return none;
  return found instanceof CelError || found instanceof Optional ? found : new Optional(found);
}

/** `has(v.field)`. */
export function has(v: Value, field: string): Value {
  if (v instanceof CelError) return v;
  if (v instanceof Optional) return v.value !== undefined && has(v.value, field);
  if (v instanceof CelList) return new CelError("unsupported index type 'string' in list");
  return v instanceof CelMap && v.find(field) !== undefined;
}
