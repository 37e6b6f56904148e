/** JSON as CEL values, without copying it: lists and maps wrap the arrays and objects and make their elements when asked. */

import type { DeepReadonly, Json, JsonObject } from '@skiff/apimachinery';
import { DurationError, parseDuration } from '@skiff/apimachinery';
import { scalarIdentity } from './equality.ts';
import { parseTimestamp } from './time-values.ts';
import { type CelType, dynType, fieldOf, type ListType, type ObjectType } from './types.ts';
import { CelError, CelList, CelMap, Duration, Uint, type Value } from './values.ts';

type ReadonlyJson = DeepReadonly<Json>;
type ReadonlyObject = DeepReadonly<JsonObject>;

/** Lists, maps and objects are made once: loops come back to them. */
class Children<K> {
  readonly #made = new Map<K, Value>();
  get(key: K, v: ReadonlyJson, t: CelType): Value {
    if (typeof v !== 'object' || v === null) return adapt(v, t);
    let made = this.#made.get(key);
    if (made === undefined) {
      made = adapt(v, t);
      this.#made.set(key, made);
    }
    return made;
  }
}

class JsonList extends CelList {
  readonly #items: readonly ReadonlyJson[];
  readonly #type: ListType | undefined;
  readonly #children = new Children<number>();
  constructor(items: readonly ReadonlyJson[], type: ListType | undefined) {
    super();
    this.#items = items;
    this.#type = type;
  }
  get size(): number {
    return this.#items.length;
  }
  at(index: number): Value {
    return this.#children.get(index, this.#items[index]!, this.#type?.element ?? dynType);
  }
  override get unordered(): ((element: Value) => string | undefined) | undefined {
    if (this.#type?.listType === 'set') return scalarIdentity;
    if (this.#type?.listType !== 'map') return undefined;
    const keys = this.#type.mapKeys ?? [];
    return (element) => {
      if (!(element instanceof CelMap)) return undefined;
      return JSON.stringify(keys.map((k) => scalarIdentity(element.find(k) ?? null) ?? null));
    };
  }
}

class JsonMap extends CelMap {
  readonly #object: ReadonlyObject;
  readonly #value: CelType;
  readonly #children = new Children<string>();
  #keys: readonly string[] | undefined;
  constructor(object: ReadonlyObject, value: CelType) {
    super();
    this.#object = object;
    this.#value = value;
  }
  get size(): number {
    return this.keys().length;
  }
  find(key: Value): Value | undefined {
    if (typeof key !== 'string' || !Object.hasOwn(this.#object, key)) return undefined;
    const v = this.#object[key];
    return v === undefined ? undefined : this.#children.get(key, v, this.#value);
  }
  keys(): readonly Value[] {
    this.#keys ??= Object.keys(this.#object).sort();
    return this.#keys;
  }
}

/** An object with declared fields. What the type does not name is not seen. */
class JsonFields extends CelMap {
  readonly #object: ReadonlyObject;
  readonly #type: ObjectType;
  readonly #children = new Children<string>();
  constructor(object: ReadonlyObject, type: ObjectType) {
    super();
    this.#object = object;
    this.#type = type;
  }
  get size(): number {
    return this.keys().length;
  }
  find(key: Value): Value | undefined {
    if (typeof key !== 'string') return undefined;
    const field = fieldOf(this.#type, key);
    if (field === undefined) return undefined;
    const property = field.property ?? key;
    const v = Object.hasOwn(this.#object, property) ? this.#object[property] : undefined;
    return v === undefined || (v === null && this.#type.nullIsAbsent === true) ? undefined : this.#children.get(property, v, field.type);
  }
  keys(): readonly Value[] {
    const { fields, nullIsAbsent } = this.#type;
    const names: Value[] = [];
    for (const [name, f] of fields) {
      const v = this.#object[f.property ?? name];
      if (v !== undefined && (v !== null || nullIsAbsent !== true)) names.push(name);
    }
    return names;
  }
}

function number(v: number | bigint, t: CelType): Value {
  if (t.kind === 'double') return Number(v);
  if (t.kind === 'uint') return new Uint(BigInt(v));
  if (typeof v === 'bigint') return v;
  if (t.kind === 'int' || Number.isInteger(v)) return Number.isInteger(v) ? BigInt(v) : v;
  return v;
}

function text(v: string, t: CelType): Value {
  switch (t.kind) {
    case 'timestamp':
      return parseTimestamp(/^\d{4}-\d{2}-\d{2}$/.test(v) ? `${v}T00:00:00Z` : v) ?? new CelError(`Invalid date: ${v}`);
    case 'duration':
      try {
        return new Duration(parseDuration(v));
      } catch (e) {
        if (!(e instanceof DurationError)) throw e;
        return new CelError(e.message);
      }
    case 'bytes':
      return Buffer.from(v, 'base64');
    default:
      return v;
  }
}

/** A JSON value as CEL sees it. Without a type (dyn), whole numbers are ints, the others doubles. */
export function adapt(v: ReadonlyJson, t: CelType = dynType): Value {
  if (typeof v === 'string') return text(v, t);
  if (typeof v === 'number' || typeof v === 'bigint') return number(v, t);
  if (v === null || typeof v === 'boolean') return v;
  if (Array.isArray(v)) return new JsonList(v as readonly ReadonlyJson[], t.kind === 'list' ? t : undefined);
  const object = v as ReadonlyObject;
  if (t.kind === 'object') return new JsonFields(object, t);
  return new JsonMap(object, t.kind === 'map' ? t.value : dynType);
}
