/** Equality and order as CEL has them: numbers compare across their types, errors never arise from unequal types. */

import { ArrayList, CelList, CelMap, Duration, keyText, Opaque, Optional, Timestamp, TypeValue, Uint, type Value } from './values.ts';

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Told of each pair that is compared: lists and maps can hold the same part many times. May throw to end the comparison. */
export type Look = (pairs: number) => void;

function equalLists(a: CelList, b: CelList, look: Look): boolean {
  if (a.size !== b.size) return false;
  const identity = a.unordered ?? b.unordered;
  if (identity !== undefined) return equalUnordered(a, b, identity, look);
  for (let i = 0; i < a.size; i++) if (!equal(a.at(i), b.at(i), look)) return false;
  return true;
}

/** Elements match by identity (key fields, or the scalar itself); those without one are compared one by one. */
function equalUnordered(a: CelList, b: CelList, identity: (element: Value) => string | undefined, look: Look): boolean {
  const byIdentity = new Map<string, Value>();
  const others: Value[] = [];
  for (const v of b.values()) {
    const id = identity(v);
    if (id === undefined) others.push(v);
    else byIdentity.set(id, v);
  }
  for (const v of a.values()) {
    const id = identity(v);
    const match = id === undefined ? others.find((o) => equal(o, v, look)) : byIdentity.get(id);
    if (match === undefined || !equal(match, v, look)) return false;
  }
  return true;
}

function equalMaps(a: CelMap, b: CelMap, look: Look): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) {
    const other = b.find(key);
    const own = a.find(key);
    if (other === undefined || own === undefined || !equal(own, other, look)) return false;
  }
  return true;
}

function equalNumbers(a: bigint | number | Uint, b: bigint | number | Uint): boolean {
  const x = a instanceof Uint ? a.value : a;
  const y = b instanceof Uint ? b.value : b;
  // biome-ignore lint: int and double are compared by value, which JavaScript's == does exactly for bigint and number.
  return x == y; // eslint-disable-line eqeqeq
}

const isNumeric = (v: Value): v is bigint | number | Uint => typeof v === 'bigint' || typeof v === 'number' || v instanceof Uint;

export function equal(a: Value, b: Value, look: Look): boolean {
  look(1);
  if (typeof a === 'string' || typeof a === 'boolean' || a === null) return a === b;
  if (isNumeric(a)) return isNumeric(b) && equalNumbers(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && sameBytes(a, b);
  if (a instanceof CelList) return b instanceof CelList && equalLists(a, b, look);
  if (a instanceof CelMap) return b instanceof CelMap && equalMaps(a, b, look);
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanoseconds === b.nanoseconds;
  if (a instanceof Duration) return b instanceof Duration && a.nanoseconds === b.nanoseconds;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Optional) {
    if (!(b instanceof Optional)) return false;
    return a.value === undefined || b.value === undefined ? a.value === b.value : equal(a.value, b.value, look);
  }
  return a instanceof Opaque && b instanceof Opaque && a.equals(b);
}

/** Order by code points, as Go compares UTF-8. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const surrogates = ((x & 0xf800) === 0xd800) !== ((y & 0xf800) === 0xd800);
    return surrogates ? ((x & 0xf800) === 0xd800 ? 1 : -1) : x - y;
  }
  return a.length - b.length;
}

/** Negative, 0, positive; undefined where there is no order (also for NaN). */
export function compare(a: Value, b: Value): number | undefined {
  if (typeof a === 'string') return typeof b === 'string' ? compareText(a, b) : undefined;
  if (isNumeric(a)) {
    if (!isNumeric(b)) return undefined;
    const x = a instanceof Uint ? a.value : a;
    const y = b instanceof Uint ? b.value : b;
    return x < y ? -1 : x > y ? 1 : Number.isNaN(x) || Number.isNaN(y) ? Number.NaN : 0;
  }
  if (typeof a === 'boolean') return typeof b === 'boolean' ? Number(a) - Number(b) : undefined;
  if (a instanceof Uint8Array) return b instanceof Uint8Array ? Buffer.compare(a, b) : undefined;
  const time = a instanceof Timestamp && b instanceof Timestamp;
  if (time || (a instanceof Duration && b instanceof Duration)) {
    const d = a.nanoseconds - b.nanoseconds;
    return d < 0n ? -1 : d > 0n ? 1 : 0;
  }
  return undefined;
}

/** `element in list`. */
export function listContains(list: CelList, element: Value, look: Look): boolean {
  if (list instanceof ArrayList && typeof element === 'string') return list.elements.includes(element);
  for (let i = 0; i < list.size; i++) if (equal(list.at(i), element, look)) return true;
  return false;
}

/** The identity of an element of a set: equal scalars have equal texts. */
export const scalarIdentity = (v: Value): string | undefined => keyText(v);
