import type { Json, JsonObject } from './object.ts';
import type { FieldSchema, SchemaRegistry, StructSchema, TypeSchema } from './schema.ts';
import { badRequest, StatusError } from './status-error.ts';
import { setKey } from './json-exact.ts';
import { goValueText } from './go-value-text.ts';

const directive = '$patch';
const retainKeys = '$retainKeys';
const setElementOrder = '$setElementOrder/';
const deleteFromPrimitiveList = '$deleteFromPrimitiveList/';

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** How a field merges. */
interface FieldMeta {
  readonly type: TypeSchema | undefined;
  readonly strategies: readonly string[];
  readonly mergeKey: string;
}
/** What the values at a place are: a struct with known fields, or something whose parts nobody knows (maps, free JSON). */
type Place = StructSchema | undefined;

const malformed = (what: 'primitive list' | 'retainKeys' | 'setElementOrder list'): StatusError =>
  badRequest(`invalid patch format of ${what}`);
const failure = (message: string): StatusError => new StatusError('', message);
const noMergeKey = (item: JsonObject, key: string): StatusError =>
  failure(`map: ${goValueText(item)} does not contain declared merge key: ${key}`);
const wrongType = (expected: string, value: Json | undefined): StatusError =>
  failure(`expected a ${expected}, but received a ${goTypeOf(value)}`);
/** The 422 that says nothing. */
export const unprocessable = (): StatusError =>
  new StatusError('Invalid', 'the server rejected our request due to an error in our request', { details: {} });

function goTypeOf(value: Json | undefined): string {
  if (value === null || value === undefined) return '%!s(<nil>)';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'object') return 'map[string]interface {}';
  return typeof value === 'boolean' ? 'bool' : typeof value === 'string' ? 'string' : 'int64';
}

class Merger {
  readonly #registry: SchemaRegistry;
  constructor(registry: SchemaRegistry) {
    this.#registry = registry;
  }

  #field(place: Place, key: string): FieldMeta {
    if (place === undefined) return { type: undefined, strategies: [], mergeKey: '' };
    const field: FieldSchema | undefined = this.#registry.field(place, key);
    if (field === undefined) throw failure(`unable to find api field in struct ${place.goName} for the json field ${JSON.stringify(key)}`);
    return { type: field.type, strategies: field.patchStrategy ?? [], mergeKey: field.patchMergeKey ?? '' };
  }

  #place(type: TypeSchema | undefined): Place {
    return type?.kind === 'struct' ? this.#registry.struct(type.name) : undefined;
  }

  /** Changes `original`; takes what it needs from `patch`, which is not changed but may be shared afterwards. */
  map(original: JsonObject, patch: JsonObject, place: Place): JsonObject {
    const how = patch[directive];
    if (how !== undefined) {
      if (how === 'replace') {
        const { [directive]: _, ...rest } = patch;
        return rest;
      }
      if (how === 'delete') return {};
      throw failure(`unknown patch type: ${goValueText(how)} in map: ${goValueText(patch)}`);
    }
    const rest: JsonObject = { ...patch };
    this.#retain(original, rest);
    this.#order(original, rest, place);
    for (const key of Object.keys(rest)) this.#mergeKey(original, key, rest[key]!, place);
    return original;
  }

  #retain(original: JsonObject, patch: JsonObject): void {
    const list = patch[retainKeys];
    if (list === undefined) return;
    delete patch[retainKeys];
    if (!Array.isArray(list)) throw malformed('retainKeys');
    const kept = new Set(list);
    for (const [key, value] of Object.entries(patch)) {
      if (value !== null && !key.startsWith(deleteFromPrimitiveList) && !key.startsWith(setElementOrder) && !kept.has(key))
        throw malformed('retainKeys');
    }
    for (const key of Object.keys(original)) if (!kept.has(key)) delete original[key];
  }

  #order(original: JsonObject, patch: JsonObject, place: Place): void {
    for (const directiveKey of Object.keys(patch)) {
      if (!directiveKey.startsWith('$setElementOrder')) continue;
      if (!directiveKey.startsWith(setElementOrder)) throw malformed('setElementOrder list');
      const order = patch[directiveKey];
      delete patch[directiveKey];
      if (!Array.isArray(order)) throw wrongType('[]interface {}', order);
      const key = directiveKey.slice(setElementOrder.length);
      const live = original[key];
      const patched = patch[key];
      if (live !== undefined && !Array.isArray(live)) throw wrongType('[]interface {}', live);
      if (patched !== undefined && !Array.isArray(patched)) throw wrongType('[]interface {}', patched);
      const meta = this.#field(place, key);
      checkOrder(patched, order, meta.mergeKey);
      if (live === undefined && patched === undefined) continue;
      // Merging changes elements and the list; the order of the live list is asked for afterwards.
      const liveOrder = live === undefined ? [] : [...live];
      const merged =
        patched === undefined
          ? live!
          : live === undefined
            ? (withoutDirectives(patched) as Json[])
            : this.#list(live, patched, meta, false);
      original[key] = arrange(merged, order, liveOrder, meta.mergeKey);
      delete patch[key];
    }
  }

  #mergeKey(original: JsonObject, patchKey: string, value: Json, place: Place): void {
    let key = patchKey;
    const deletes = patchKey.startsWith('$deleteFromPrimitiveList');
    if (deletes) {
      if (!patchKey.startsWith(deleteFromPrimitiveList)) throw malformed('primitive list');
      key = patchKey.slice(deleteFromPrimitiveList.length);
    }
    if (value === null) {
      delete original[key];
      return;
    }
    const live = Object.hasOwn(original, key) ? original[key] : undefined;
    if (live === undefined || goTypeOf(live) !== goTypeOf(value)) {
      if (deletes) return;
      const clean = withoutDirectives(withoutNulls(value));
      if (clean === undefined) delete original[key];
      else setKey(original, key, clean);
      return;
    }
    if (isObject(live) && isObject(value)) {
      const meta = this.#field(place, key);
      original[key] = meta.strategies.includes('replace') ? value : this.map(live, value, this.#place(meta.type));
    } else if (Array.isArray(live) && Array.isArray(value)) {
      original[key] = this.#list(live, value, this.#field(place, key), deletes);
    } else original[key] = value;
  }

  #list(live: Json[], patch: Json[], meta: FieldMeta, deletes: boolean): Json[] {
    if (!deletes && !meta.strategies.includes('merge')) return patch;
    if (live.length === 0 && patch.length === 0) return live;
    const ofMaps = elementsAreMaps(live, patch);
    if (!ofMaps) {
      if (deletes) {
        const gone = new Set(patch);
        return live.filter((v) => !gone.has(v));
      }
      return arrange([...new Set([...live, ...patch])], patch, live, '');
    }
    const { mergeKey } = meta;
    if (mergeKey === '') throw failure('cannot merge lists without merge key for struct');
    const order = [...live];
    const { kept, additions } = applyListDirectives(live as JsonObject[], patch as JsonObject[], mergeKey);
    const place = this.#place(meta.type?.kind === 'list' ? meta.type.items : undefined);
    const firstOf = new Map<Json | undefined, number>();
    for (const [i, item] of kept.entries()) if (!firstOf.has(item[mergeKey])) firstOf.set(item[mergeKey], i);
    for (const item of additions) {
      const keyValue = item[mergeKey];
      if (keyValue === undefined) throw noMergeKey(item, mergeKey);
      const at = firstOf.get(keyValue);
      if (at === undefined) firstOf.set(keyValue, kept.push(item) - 1);
      else kept[at] = this.map(kept[at]!, item, place);
    }
    return arrange(kept, additions, order, mergeKey);
  }
}

function elementsAreMaps(...lists: readonly Json[][]): boolean {
  let type: string | undefined;
  for (const list of lists) {
    for (const item of list) {
      const t = goTypeOf(item);
      if (type === undefined && t === '[]interface {}') throw unprocessable();
      if (type !== undefined && t !== type) throw failure(`list element types are not identical: ${goValueText(lists as Json[][])}`);
      type = t;
    }
  }
  return type === 'map[string]interface {}';
}

/** `$patch: delete` takes elements out of the live list, `$patch: replace` discards it whole. */
function applyListDirectives(live: JsonObject[], patch: JsonObject[], mergeKey: string): { kept: JsonObject[]; additions: JsonObject[] } {
  const gone = new Set<Json>();
  let replace = false;
  const additions: JsonObject[] = [];
  for (const item of patch) {
    switch (item[directive]) {
      case undefined:
        additions.push(item);
        break;
      case 'delete': {
        const value = item[mergeKey];
        if (value === undefined) throw noMergeKey(item, mergeKey);
        gone.add(value);
        break;
      }
      case 'replace':
        replace = true;
        break;
      case 'merge':
        throw failure('merging lists cannot yet be specified in the patch');
      default:
        throw failure(`unknown patch type: ${goValueText(item[directive])} in map: ${goValueText(item)}`);
    }
  }
  if (replace) return { kept: additions, additions: [] };
  return { kept: live.filter((item) => item[mergeKey] === undefined || !gone.has(item[mergeKey])), additions };
}

const keyOf = (item: Json, mergeKey: string): Json | undefined => (mergeKey === '' ? item : isObject(item) ? item[mergeKey] : undefined);

/** The elements of the patch must come in the order that its $setElementOrder list gives. */
function checkOrder(patch: Json[] | undefined, order: Json[], mergeKey: string): void {
  if (patch === undefined || patch.length === 0 || order.length === 0) return;
  const items = patch.filter((p) => !(isObject(p) && p[directive] !== undefined));
  let at = 0;
  for (const wanted of order) {
    if (at >= items.length) break;
    if (keyOf(items[at]!, mergeKey) === keyOf(wanted, mergeKey)) at++;
  }
  if (at < items.length) {
    throw failure(`The order in patch list:\n${goValueText(patch)}\n doesn't match $setElementOrder list:\n${goValueText(order)}\n`);
  }
}

/** Elements named by the patch in the patch's order, the others in the live list's, woven together by the live list's. */
function arrange<T extends Json>(items: readonly T[], patchOrder: readonly Json[], liveOrder: readonly Json[], mergeKey: string): T[] {
  const rank = (order: readonly Json[]): Map<Json | undefined, number> => {
    const ranks = new Map<Json | undefined, number>();
    order.forEach((item, i) => {
      const key = keyOf(item, mergeKey);
      if (!ranks.has(key)) ranks.set(key, i);
    });
    return ranks;
  };
  const inPatch = rank(patchOrder);
  const inLive = rank(liveOrder);
  const by =
    (ranks: ReadonlyMap<Json | undefined, number>) =>
    (a: T, b: T): number => {
      const [x, y] = [ranks.get(keyOf(a, mergeKey)), ranks.get(keyOf(b, mergeKey))];
      return x === undefined || y === undefined ? 0 : x - y;
    };
  const named = items.filter((i) => inPatch.has(keyOf(i, mergeKey))).sort(by(inPatch));
  const others = items.filter((i) => !inPatch.has(keyOf(i, mergeKey))).sort(by(inLive));
  const result: T[] = [];
  let n = 0;
  for (const other of others) {
    const place = inLive.get(keyOf(other, mergeKey));
    for (; n < named.length; n++) {
      const place2 = inLive.get(keyOf(named[n]!, mergeKey));
      if (place !== undefined && place2 !== undefined && place < place2) break;
      result.push(named[n]!);
    }
    result.push(other);
  }
  return [...result, ...named.slice(n)];
}

function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.map((v) => (v === null ? v : withoutNulls(v)));
  if (!isObject(value)) return value;
  const clean: JsonObject = {};
  for (const key of Object.keys(value)) if (value[key] !== null && value[key] !== undefined) setKey(clean, key, withoutNulls(value[key]));
  return clean;
}

/** What is new has nothing to apply directives to: an object that carries one vanishes. */
function withoutDirectives(value: Json): Json | undefined {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((v) => v !== undefined);
  if (!isObject(value)) return value;
  if (value[directive] !== undefined) return undefined;
  const clean: JsonObject = {};
  for (const key of Object.keys(value)) {
    const v = withoutDirectives(value[key]!);
    if (v !== undefined) setKey(clean, key, v);
  }
  return clean;
}

/**
 * Strategic merge patch (with $patch, $retainKeys, $setElementOrder and $deleteFromPrimitiveList), guided by the struct's merge keys
 * and strategies. Consumes `document`; `patch` stays as it is. Throws StatusError as the apiserver would answer.
 */
export function applyStrategicMergePatch(
  document: JsonObject,
  patch: JsonObject,
  schema: { registry: SchemaRegistry; schemaName: string },
): JsonObject {
  const struct = schema.registry.struct(schema.schemaName);
  if (struct === undefined) throw badRequest('strategic merge patch format is not supported');
  return new Merger(schema.registry).map(document, structuredClone(patch), struct);
}
