/**
 * Values at run time. int is bigint, double is number, the rest of the plain types are JavaScript's; everything else is one of the
 * classes here. An error is a value: it travels up through calls, and `&&`, `||` and the macros may drop it.
 */

import { formatDuration } from '@skiff/apimachinery';
import { type CelType, optionalOf, dynType, typeName } from './types.ts';

/** The outcome of an expression that failed. */
export class CelError {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}
export const noSuchOverload = new CelError('no such overload');
export const noSuchKey = (key: string): CelError => new CelError(`no such key: ${key}`);

export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}
/** Nanoseconds since 1970. The offset of the zone that it was written in only shows in its text. */
export class Timestamp {
  readonly nanoseconds: bigint;
  readonly offsetMinutes: number;
  constructor(nanoseconds: bigint, offsetMinutes = 0) {
    this.nanoseconds = nanoseconds;
    this.offsetMinutes = offsetMinutes;
  }
}
export class Duration {
  readonly nanoseconds: bigint;
  constructor(nanoseconds: bigint) {
    this.nanoseconds = nanoseconds;
  }
  toString(): string {
    return formatDuration(this.nanoseconds);
  }
}
export class TypeValue {
  readonly type: CelType;
  constructor(type: CelType) {
    this.type = type;
  }
  get name(): string {
    return typeName(this.type);
  }
}
/** `value` undefined: optional.none(). */
export class Optional {
  readonly value: Value | undefined;
  constructor(value: Value | undefined) {
    this.value = value;
  }
  static readonly type: CelType = optionalOf(dynType);
}
export const none = new Optional(undefined);

/** A list; elements are made when they are asked for. */
export abstract class CelList {
  abstract readonly size: number;
  /** 0 ≤ index < size. */
  abstract at(index: number): Value;
  /** Custom resources' lists of type set or map: order is of no account when compared. */
  get unordered(): ((element: Value) => string | undefined) | undefined {
    return undefined;
  }
  /** Lists whose elements have identities are merged by `+`: what both have stands once, as `other` has it. */
  plus(other: CelList): CelList {
    const identity = this.unordered;
    if (identity === undefined) return new ConcatenatedList(this, other);
    const merged = [...this.values()];
    const places = new Map(merged.map((v, i) => [identity(v), i]));
    for (const v of other.values()) {
      const place = places.get(identity(v));
      if (place === undefined) merged.push(v);
      else merged[place] = v;
    }
    return new ArrayList(merged);
  }
  *values(): Generator<Value> {
    for (let i = 0; i < this.size; i++) yield this.at(i);
  }
}
/** A map or an object; entries are made when they are asked for. */
export abstract class CelMap {
  abstract readonly size: number;
  /** The value of a key; undefined when there is none. */
  abstract find(key: Value): Value | undefined;
  /** Sorted where the source has no order of its own. */
  abstract keys(): readonly Value[];
  /** The type's name where it has one of its own. */
  get typeName(): string | undefined {
    return undefined;
  }
}
/** A value of one of the libraries' types (a quantity, a URL, an authorizer …). */
export abstract class Opaque {
  abstract readonly type: CelType;
  abstract equals(other: Opaque): boolean;
  /** What `size`-driven costs count; 1 unless said otherwise. */
  get costSize(): number {
    return 1;
  }
}

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Uint
  | Timestamp
  | Duration
  | TypeValue
  | Optional
  | CelList
  | CelMap
  | Opaque
  | CelError;

export class ArrayList extends CelList {
  readonly elements: readonly Value[];
  constructor(elements: readonly Value[]) {
    super();
    this.elements = elements;
  }
  get size(): number {
    return this.elements.length;
  }
  at(index: number): Value {
    return this.elements[index]!;
  }
  override *values(): Generator<Value> {
    yield* this.elements;
  }
}
/** `a + b` without copying: doubling a list again and again costs no memory. */
export class ConcatenatedList extends CelList {
  readonly left: CelList;
  readonly right: CelList;
  readonly size: number;
  constructor(left: CelList, right: CelList) {
    super();
    this.left = left;
    this.right = right;
    this.size = left.size + right.size;
  }
  at(index: number): Value {
    return elementOf(this, index);
  }
}
function elementOf(list: CelList, index: number): Value {
  let part = list;
  let i = index;
  while (part instanceof ConcatenatedList) {
    if (i < part.left.size) part = part.left;
    else {
      i -= part.left.size;
      part = part.right;
    }
  }
  return part.at(i);
}

/** A key's identity: `1`, `1u` and `1.0` are one key. Undefined: a value that can't be a key. */
export function keyText(key: Value): string | undefined {
  if (typeof key === 'string') return `s${key}`;
  if (typeof key === 'bigint') return `n${key}`;
  if (key instanceof Uint) return `n${key.value}`;
  if (typeof key === 'number') return Number.isInteger(key) ? `n${BigInt(key)}` : `d${key}`;
  return typeof key === 'boolean' ? `b${key}` : undefined;
}

/** A map that an expression made. */
export class EntryMap extends CelMap {
  readonly entries: ReadonlyMap<string, { readonly key: Value; readonly value: Value }>;
  constructor(entries: ReadonlyMap<string, { readonly key: Value; readonly value: Value }>) {
    super();
    this.entries = entries;
  }
  get size(): number {
    return this.entries.size;
  }
  find(key: Value): Value | undefined {
    const text = keyText(key);
    return text === undefined ? undefined : this.entries.get(text)?.value;
  }
  keys(): readonly Value[] {
    return [...this.entries.values()].map((e) => e.key);
  }
}

/** An object whose fields are computed when they are first used: `variables` of a policy, say. */
export class LazyObject extends CelMap {
  readonly #name: string;
  readonly #fields: ReadonlyMap<string, () => Value>;
  readonly #known = new Map<string, Value>();
  constructor(name: string, fields: ReadonlyMap<string, () => Value>) {
    super();
    this.#name = name;
    this.#fields = fields;
  }
  override get typeName(): string {
    return this.#name;
  }
  get size(): number {
    return this.#fields.size;
  }
  find(key: Value): Value | undefined {
    if (typeof key !== 'string') return undefined;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const value = this.#fields.get(key)?.();
    if (value !== undefined) this.#known.set(key, value);
    return value;
  }
  keys(): readonly Value[] {
    return [...this.#fields.keys()];
  }
}

let measured = '';
let measuredSize = 0;
const surrogate = /[\ud800-\udbff]/;
/** Code points of a text. The last long text is remembered: loops ask for the same one again and again. */
export function codePoints(text: string): number {
  if (text.length > 256 && text === measured) return measuredSize;
  let size = text.length;
  if (surrogate.test(text)) {
    for (let i = 0; i < text.length - 1; i++) {
      if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
        size--;
        i++;
      }
    }
  }
  if (text.length > 256) {
    measured = text;
    measuredSize = size;
  }
  return size;
}

/** The size that costs are counted by: characters, bytes, elements; 1 for what has no size. */
export function costSize(v: Value): number {
  if (typeof v === 'string') return codePoints(v);
  if (v instanceof Uint8Array) return v.length;
  if (v instanceof CelList || v instanceof CelMap) return v.size;
  if (v instanceof Optional) return v.value === undefined ? 1 : costSize(v.value);
  return v instanceof Opaque ? v.costSize : 1;
}
