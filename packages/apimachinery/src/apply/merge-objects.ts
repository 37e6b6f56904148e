import { setKey } from '../json-exact.ts';
import type { Json, JsonObject } from '../object.ts';
import { descend, type FieldSet, isEmptySet } from './field-set.ts';
import { elementOf, ListElementError } from './list-elements.ts';
import { type MergeList, type MergeMap, type MergeType, untyped } from './merge-type.ts';

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const isEmpty = (value: JsonObject | undefined): boolean => value === undefined || Object.keys(value).length === 0;

/** Live object and applied configuration → what the object becomes. The arguments are not changed; the result shares parts with them. */
export function mergeObjects(type: MergeMap, live: JsonObject, applied: JsonObject): JsonObject {
  return mergeMaps(type, live, applied) as JsonObject;
}

function mergeValues(type: MergeType, live: Json | undefined, applied: Json | undefined): Json | undefined {
  if (applied === undefined) return live;
  if (live === undefined) return applied;
  switch (type.kind) {
    case 'scalar':
      return applied;
    case 'map':
      return mergeMaps(type, live, applied);
    case 'list':
      return mergeLists(type, live, applied);
    case 'untyped':
      return isObject(live) && isObject(applied)
        ? mergeMaps({ kind: 'map', atomic: false, fields: new Map(), element: untyped, always: [] }, live, applied)
        : applied;
  }
}

function mergeMaps(type: MergeMap, live: Json, applied: Json): Json {
  const l = isObject(live) ? live : undefined;
  const r = isObject(applied) ? applied : undefined;
  if (type.atomic || (isEmpty(l) && isEmpty(r))) return applied;
  const out: JsonObject = {};
  for (const key of Object.keys(l ?? {})) setKey(out, key, l![key]);
  for (const key of Object.keys(r ?? {})) {
    const fieldType = type.fields.get(key)?.type ?? type.element ?? untyped;
    const merged = mergeValues(fieldType, l !== undefined && Object.hasOwn(l, key) ? l[key] : undefined, r![key]);
    if (merged !== undefined) setKey(out, key, merged);
  }
  return out;
}

interface Slot {
  readonly element: string;
  readonly value: Json;
}

/** Live elements may occur twice; those are not merged with the applied one but replaced by it. */
function slots(type: MergeList, items: readonly Json[]): Slot[] {
  const out: Slot[] = [];
  for (const value of items) {
    try {
      out.push({ element: elementOf(type, value), value });
    } catch (e) {
      // Only live objects get here with such elements; the configuration was checked before.
      if (!(e instanceof ListElementError)) throw e;
    }
  }
  return out;
}

function mergeLists(type: MergeList, live: Json, applied: Json): Json {
  const l = Array.isArray(live) ? live : [];
  const r = Array.isArray(applied) ? applied : [];
  if (type.relation === 'atomic' || (l.length === 0 && r.length === 0)) return applied;
  const left = slots(type, l);
  const right = slots(type, r);
  const count = new Map<string, number>();
  for (const { element } of left) count.set(element, (count.get(element) ?? 0) + 1);
  const leftValue = new Map(left.filter((s) => count.get(s.element) === 1).map((s) => [s.element, s.value]));
  const inRight = new Set(right.map((s) => s.element));
  return weave(left, right, inRight, count).map((s) => {
    if (!inRight.has(s.element)) return s.value;
    return mergeValues(type.element, leftValue.get(s.element), right.find((x) => x.element === s.element)!.value)!;
  });
}

/**
 * The order of the result: applied elements keep the configuration's order; live-only elements stay where they are relative to the
 * shared elements around them, before what is newly applied.
 */
function weave(left: readonly Slot[], right: readonly Slot[], inRight: ReadonlySet<string>, inLeft: ReadonlyMap<string, number>): Slot[] {
  const shared = right.map((s) => s.element).filter((e) => inLeft.has(e));
  const merged = new Set<string>();
  const out: Slot[] = [];
  let nextShared = shared.shift();
  let i = 0;
  let j = 0;
  const takeRight = (): void => {
    const slot = right[j++]!;
    merged.add(slot.element);
    out.push(slot);
    if (nextShared === slot.element) nextShared = shared.shift();
  };
  while (i < left.length || j < right.length) {
    const l = left[i];
    if (l !== undefined && j < right.length) {
      if (l.element === right[j]!.element) {
        i++;
        takeRight();
        continue;
      }
      // Shared, but its turn in the configuration's order has not come.
      if (inRight.has(l.element) && nextShared !== undefined && nextShared !== l.element) {
        i++;
        continue;
      }
    }
    if (l !== undefined) {
      if (!inRight.has(l.element)) {
        out.push(l);
        i++;
        continue;
      }
      if (merged.has(l.element)) i++;
    }
    if (j < right.length) takeRight();
    else if (l !== undefined && inRight.has(l.element) && !merged.has(l.element)) i++;
  }
  return out;
}

/** Takes the fields of a set out of an object. Containers that lose all they had stay, empty. */
export function removeFields(type: MergeMap, object: JsonObject, remove: FieldSet): JsonObject {
  return isEmptySet(remove) ? object : ((removeFrom(type, object, remove) ?? {}) as JsonObject);
}

function removeFrom(type: MergeType, value: Json, remove: FieldSet): Json | undefined {
  if (isObject(value) && (type.kind === 'map' || type.kind === 'untyped')) {
    if (type.kind === 'map' && type.atomic) return {};
    const out: JsonObject = {};
    for (const key of Object.keys(value)) {
      const { member, below } = descend(remove, `f:${key}`);
      if (member) continue;
      const fieldType = type.kind === 'map' ? (type.fields.get(key)?.type ?? type.element ?? untyped) : untyped;
      setKey(out, key, below === undefined ? value[key] : removeFrom(fieldType, value[key]!, below));
    }
    return out;
  }
  if (Array.isArray(value) && type.kind === 'list') {
    if (type.relation === 'atomic') return [];
    const out: Json[] = [];
    for (const { element, value: item } of slots(type, value)) {
      const { member, below } = descend(remove, element);
      if (!member) out.push(below === undefined ? item : removeFrom(type.element, item, below)!);
    }
    return out;
  }
  return value;
}

/** Adds the named fields of structs that have something below them in the set: `a.b` implies `a`, but not for maps and lists. */
export function withNamedParents(type: MergeType | undefined, set: FieldSet): FieldSet {
  let out: FieldSet | undefined;
  for (const element in set) {
    if (element === '.') continue;
    const node = set[element] as FieldSet;
    if (isEmptySet(node)) continue;
    const name = element.startsWith('f:') ? element.slice(2) : undefined;
    const field = name !== undefined && type?.kind === 'map' ? type.fields.get(name) : undefined;
    const childType =
      name !== undefined && type?.kind === 'map'
        ? (field?.type ?? type.element)
        : type?.kind === 'list' && element.startsWith('k:')
          ? type.element
          : undefined;
    const below = withNamedParents(childType, node);
    const whole = field !== undefined && !Object.hasOwn(below, '.') ? { '.': {}, ...below } : below;
    if (whole !== node) (out ??= { ...set })[element] = whole;
  }
  return out ?? set;
}
