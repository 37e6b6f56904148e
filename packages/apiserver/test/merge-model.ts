import { builtinSchemas } from '@skiff/api';
import type { FieldSchema, Json, JsonObject, TypeSchema } from '@skiff/apimachinery';
import { stable } from './fuzz-objects.ts';

/** What is expected of strategic merge patches and of server-side apply, said a second time and as simply as it can be: from the types alone. */

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A place in a type: the field that leads there says how it is patched. */
export interface Place {
  readonly type: TypeSchema;
  readonly field?: FieldSchema;
}
export const rootOf = (schemaName: string): Place => ({ type: { kind: 'struct', name: schemaName } });

export function placeAt({ type }: Place, key: string): Place | undefined {
  if (type.kind === 'map') return { type: type.values };
  const struct = type.kind === 'struct' ? builtinSchemas.struct(type.name) : undefined;
  const field = struct?.fields.find((f) => f.name === key);
  return field === undefined ? undefined : { type: field.type, field };
}
export function itemsOf({ type }: Place): Place {
  if (type.kind !== 'list') throw new Error(`no list but ${type.kind}`);
  return { type: type.items };
}

/** Whether a patch merges the elements of a list, and by what; '' are the elements themselves. */
export function patchKeyOf({ type, field }: Place): string | undefined {
  if (type.kind !== 'list' || field?.patchStrategy?.includes('merge') !== true) return undefined;
  return field.patchMergeKey ?? '';
}

/** What tells the elements of a list from each other in server-side apply; undefined: it has one owner. */
function elementKey({ type }: Place): ((item: Json) => string | undefined) | undefined {
  if (type.kind !== 'list' || type.listType === undefined || type.listType === 'atomic') return undefined;
  if (type.listType === 'set') return (item) => `v:${JSON.stringify(item)}`;
  const names = [...(type.mapKeys ?? [])].sort();
  const struct = type.items.kind === 'struct' ? builtinSchemas.struct(type.items.name) : undefined;
  const defaults = new Map(struct?.fields.map((f) => [f.name, f.default as Json | undefined]));
  return (item) => {
    const keys = names.flatMap((name): [string, Json][] => {
      const value = (item as JsonObject)[name] ?? defaults.get(name);
      return value === undefined || value === null ? [] : [[name, value]];
    });
    return keys.length === 0 ? undefined : `k:${JSON.stringify(Object.fromEntries(keys))}`;
  };
}

/** What has one owner, with all that is in it. */
function isAtomic(place: Place): boolean {
  const { type, field } = place;
  if (type.kind === 'list') return elementKey(place) === undefined;
  if (type.kind === 'map') return type.mapType === 'atomic';
  return type.kind !== 'struct' || (field?.structType ?? builtinSchemas.struct(type.name)?.structType) === 'atomic';
}

/** The object without what merging has no answer for: elements without a key, or with one that another has, and nulls (unless `nulls`). */
export function mergeable(place: Place, value: Json, nulls = false): Json {
  const keepNulls = nulls || isAtomic(place);
  if (Array.isArray(value)) {
    const patchKey = patchKeyOf(place);
    const key = elementKey(place);
    const seen = new Set<string>();
    return value
      .filter((item) => item !== null)
      .map((item) => mergeable(itemsOf(place), item, keepNulls))
      .filter((item) => {
        const names: string[] = [];
        if (patchKey !== undefined) {
          const own = patchKey === '' ? item : (item as JsonObject)[patchKey];
          if (own === undefined || own === '') return false;
          names.push(`p:${JSON.stringify(own)}`);
        }
        if (key !== undefined) {
          const own = key(item);
          if (own === undefined) return false;
          names.push(own);
        }
        if (names.some((name) => seen.has(name))) return false;
        for (const name of names) seen.add(name);
        return true;
      });
  }
  if (!isObject(value)) return value;
  const out: JsonObject = {};
  for (const [name, part] of Object.entries(value)) {
    const at = placeAt(place, name);
    if (part !== undefined && at !== undefined && (part !== null || keepNulls)) out[name] = mergeable(at, part, keepNulls);
  }
  return out;
}

/** The patch that kubectl would send to make `b` of `a`. */
export function strategicDifference(place: Place, a: JsonObject, b: JsonObject): JsonObject {
  const patch: JsonObject = {};
  for (const key of Object.keys(a)) if (b[key] === undefined) patch[key] = null;
  for (const [key, value] of Object.entries(b)) {
    const was = a[key];
    if (was !== undefined && stable(was) === stable(value!)) continue;
    const at = placeAt(place, key)!;
    if (isObject(was) && isObject(value) && at.field?.patchStrategy?.includes('replace') !== true) {
      patch[key] = strategicDifference(at, was, value);
      if (at.field?.patchStrategy?.includes('retainKeys') === true) (patch[key] as JsonObject)['$retainKeys'] = Object.keys(value).sort();
    } else if (Array.isArray(was) && Array.isArray(value) && patchKeyOf(at) !== undefined) {
      listDifference(at, key, was, value, patch);
    } else patch[key] = value!;
  }
  return patch;
}

function listDifference(place: Place, name: string, a: Json[], b: Json[], patch: JsonObject): void {
  const key = patchKeyOf(place)!;
  const find = (list: Json[], item: Json): Json | undefined =>
    list.find((other) => (key === '' ? other === item : (other as JsonObject)[key] === (item as JsonObject)[key]));
  const changed = b.filter((item) => {
    const was = find(a, item);
    return was === undefined || stable(was) !== stable(item);
  });
  const gone = a.filter((item) => find(b, item) === undefined);
  patch[`$setElementOrder/${name}`] = b.map((item) => (key === '' ? item : { [key]: (item as JsonObject)[key]! }));
  if (key === '') {
    if (gone.length > 0) patch[`$deleteFromPrimitiveList/${name}`] = gone;
    if (changed.length > 0) patch[name] = changed;
    return;
  }
  const retain = place.field?.patchStrategy?.includes('retainKeys') === true;
  const elements = changed.map((item): JsonObject => {
    const was = find(a, item);
    if (was === undefined) return item as JsonObject;
    const inner = strategicDifference(itemsOf(place), was as JsonObject, item as JsonObject);
    return { ...inner, [key]: (item as JsonObject)[key]!, ...(retain ? { $retainKeys: Object.keys(item as JsonObject).sort() } : {}) };
  });
  const all = [...elements, ...gone.map((item): JsonObject => ({ $patch: 'delete', [key]: (item as JsonObject)[key]! }))];
  if (all.length > 0) patch[name] = all;
}

/** What `b`, sent as a strategic merge patch, makes of `a`; elements come in any order. */
export function strategicMerge(place: Place, a: Json | undefined, b: Json): Json {
  if (isObject(a) && isObject(b)) {
    if (place.field?.patchStrategy?.includes('replace') === true) return b;
    const out: JsonObject = { ...a };
    for (const [key, value] of Object.entries(b)) out[key] = strategicMerge(placeAt(place, key)!, a[key], value!);
    return out;
  }
  const key = patchKeyOf(place);
  if (!Array.isArray(a) || !Array.isArray(b) || key === undefined) return b;
  if (key === '') return [...new Set([...a, ...b])];
  const keyed = new Map<Json | undefined, Json>(a.map((item) => [(item as JsonObject)[key], item]));
  for (const item of b) {
    const own = (item as JsonObject)[key];
    keyed.set(own, strategicMerge(itemsOf(place), keyed.get(own), item));
  }
  return [...keyed.values()];
}

/** The elements of lists that patches merge in an order that depends on nothing but themselves. */
export function withSortedElements(place: Place, value: Json): Json {
  if (Array.isArray(value)) {
    const items = value.map((item) => withSortedElements(itemsOf(place), item));
    const key = patchKeyOf(place);
    const nameOf = (item: Json): string => stable(key === '' ? item : ((item as JsonObject)[key!] as Json));
    return key === undefined ? items : items.sort((x, y) => (nameOf(x) < nameOf(y) ? -1 : 1));
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withSortedElements(placeAt(place, key)!, part!)]));
}

/** Whether the elements that the patch `b` names are in its order, and those that only `a` has in its. */
export function keepsOrder(place: Place, merged: Json, a: Json | undefined, b: Json | undefined): boolean {
  if (isObject(merged)) {
    if (!isObject(a) || !isObject(b) || place.field?.patchStrategy?.includes('replace') === true) return true;
    return Object.entries(merged).every(([name, part]) => keepsOrder(placeAt(place, name)!, part!, a[name], b[name]));
  }
  const key = patchKeyOf(place);
  if (!Array.isArray(merged) || !Array.isArray(a) || !Array.isArray(b) || key === undefined) return true;
  const nameOf = (item: Json): string => stable(key === '' ? item : ((item as JsonObject)[key] as Json));
  const [names, first, second] = [merged.map(nameOf), a.map(nameOf), b.map(nameOf)];
  const expected = [...second, ...first.filter((name) => !second.includes(name))];
  const found = [...names.filter((name) => second.includes(name)), ...names.filter((name) => !second.includes(name))];
  if (stable(found) !== stable(expected)) return false;
  return merged.every((item, i) => keepsOrder(itemsOf(place), item, a[first.indexOf(names[i]!)], b[second.indexOf(names[i]!)]));
}

const separator = '\u0001';

/** Everything that server-side apply can own in an object: each path with its value; for what contains more, the value is undefined. */
export function ownable(place: Place, value: Json, path: readonly string[] = [], out = new Map<string, string | undefined>()) {
  const here = path.join(separator);
  const key = elementKey(place);
  if (path.length > 0 && (!(isObject(value) || Array.isArray(value)) || isAtomic(place))) {
    out.set(here, stable(value));
  } else if (Array.isArray(value)) {
    for (const item of value) {
      const element = [...path, key!(item)!];
      out.set(element.join(separator), undefined);
      ownable(itemsOf(place), item, element, out);
    }
  } else if (isObject(value)) {
    for (const [name, part] of Object.entries(value)) {
      const below = [...path, `f:${name}`];
      if (place.type.kind === 'map' || (isObject(part) && Object.keys(part).length === 0)) out.set(below.join(separator), undefined);
      ownable(placeAt(place, name)!, part!, below, out);
    }
  }
  return out;
}

const nobodys = new Set([
  'f:apiVersion',
  'f:kind',
  'f:metadata',
  ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'clusterName', 'generation', 'managedFields', 'resourceVersion'].map(
    (name) => `f:metadata${separator}f:${name}`,
  ),
]);
/** The paths that an applier of the object owns, sorted. */
export const appliedPaths = (place: Place, object: JsonObject): string[] =>
  [...ownable(place, object).keys()].filter((path) => !nobodys.has(path)).sort();
/** The leaves: paths of what has a value, and the values. */
export const leavesOf = (place: Place, object: JsonObject): Map<string, string> =>
  new Map([...ownable(place, object)].filter((e): e is [string, string] => e[1] !== undefined && !nobodys.has(e[0])));

/** The paths of a FieldsV1, sorted. */
export function ownedPaths(fields: JsonObject | undefined, prefix: readonly string[] = []): string[] {
  const out: string[] = [];
  for (const [element, node] of Object.entries(fields ?? {})) {
    if (element === '.') continue;
    const path = [...prefix, element];
    const names = Object.keys(node as JsonObject);
    if (names.length === 0 || names.includes('.')) out.push(path.join(separator));
    out.push(...ownedPaths(node as JsonObject, path));
  }
  return out.sort();
}

/** A path as conflicts name it: `.spec.ports[containerPort=80,protocol="TCP"].name`. */
export function spokenPath(path: string): string {
  const spoken = path.split(separator).map((element) => {
    const rest = element.slice(2);
    if (element.startsWith('f:')) return `.${rest}`;
    if (element.startsWith('v:')) return `[=${rest}]`;
    const keys = Object.entries(JSON.parse(rest) as JsonObject);
    return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
  });
  return spoken.join('');
}
