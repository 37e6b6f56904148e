import { jsonEqual } from '../json-patch.ts';
import type { Json, JsonObject } from '../object.ts';
import { emptySet, type FieldSet, makeNode, recursiveDifference, union } from './field-set.ts';
import { elementOf, indexElements, ListElementError } from './list-elements.ts';
import { type MergeField, type MergeList, type MergeMap, type MergeType, untyped, visible } from './merge-type.ts';

/** Where two objects differ. No path is in more than one of the sets. */
export interface Comparison {
  readonly removed: FieldSet;
  readonly modified: FieldSet;
  readonly added: FieldSet;
}

/** The same, of a node below the root; undefined = nothing. */
interface Nodes {
  removed: FieldSet | undefined;
  modified: FieldSet | undefined;
  added: FieldSet | undefined;
}
type Side = keyof Nodes;

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const only = (side: Side, node: FieldSet | undefined): Nodes => ({
  removed: undefined,
  modified: undefined,
  added: undefined,
  [side]: node,
});
const leaf = (side: Side): Nodes => only(side, makeNode(true, undefined));

function compareLeaf(left: Json | undefined, right: Json | undefined): Nodes | undefined {
  if (left === undefined) return leaf('added');
  if (right === undefined) return leaf('removed');
  return left === right || jsonEqual(left, right) ? undefined : leaf('modified');
}

class Differ {
  #nodes: Nodes | undefined;

  add(element: string, below: Nodes | undefined): void {
    if (below === undefined) return;
    this.#nodes ??= { removed: undefined, modified: undefined, added: undefined };
    if (below.removed !== undefined) (this.#nodes.removed ??= {})[element] = below.removed;
    if (below.modified !== undefined) (this.#nodes.modified ??= {})[element] = below.modified;
    if (below.added !== undefined) (this.#nodes.added ??= {})[element] = below.added;
  }

  /** A container that is on one side only is itself in that side's set. */
  finish(left: Json | undefined, right: Json | undefined): Nodes | undefined {
    if (left !== undefined && right !== undefined) return this.#nodes;
    const nodes = this.#nodes ?? { removed: undefined, modified: undefined, added: undefined };
    const side = left === undefined ? 'added' : 'removed';
    nodes[side] = makeNode(true, nodes[side]);
    return nodes;
  }
}

function compareNodes(type: MergeType, left: Json | undefined, right: Json | undefined): Nodes | undefined {
  if (left === right) return undefined;
  if (type.kind === 'scalar') return compareLeaf(left, right);
  if (type.kind === 'list')
    return Array.isArray(left ?? right) || left === null || right === null ? compareLists(type, left, right) : compareLeaf(left, right);
  if (type.kind === 'map') return compareMaps(type, left, right);
  const free = (value: Json | undefined): boolean => value === undefined || value === null || isObject(value);
  return (isObject(left) || isObject(right)) && free(left) && free(right) ? compareMaps(untypedMap, left, right) : compareLeaf(left, right);
}

const untypedMap: MergeMap = { kind: 'map', atomic: false, fields: new Map(), element: untyped, always: [] };

function isNullOrEmpty(value: Json | undefined): boolean {
  if (value === null) return true;
  if (value === undefined) return false;
  for (const _ in value as JsonObject) return false;
  return true;
}

function hasVisible(type: MergeMap, value: JsonObject | undefined): boolean {
  if (value === undefined) return false;
  for (const key in value) if (visible(type.fields.get(key), value[key]) !== undefined) return true;
  return type.always.length > 0;
}

function compareMaps(type: MergeMap, left: Json | undefined, right: Json | undefined): Nodes | undefined {
  const l = isObject(left) ? left : undefined;
  const r = isObject(right) ? right : undefined;
  if (type.nullIsEmpty === true && isNullOrEmpty(left) && isNullOrEmpty(right)) return undefined;
  if (type.atomic) return compareWhole(type, left, right);
  if (!hasVisible(type, l) && !hasVisible(type, r))
    return compareLeaf(left === undefined ? left : (l ?? left), right === undefined ? right : (r ?? right));
  const differ = new Differ();
  compareFields(type, l ?? {}, r ?? {}, { left: l !== undefined, right: r !== undefined }, (name, field, a, b) => {
    differ.add(`f:${name}`, compareNodes(field?.type ?? type.element ?? untyped, a, b));
  });
  return differ.finish(left, right);
}

/** Calls `visit` for each name that is on either side, with what Go would write. */
function compareFields(
  type: MergeMap,
  left: JsonObject,
  right: JsonObject,
  has: { readonly left: boolean; readonly right: boolean },
  visit: (name: string, field: MergeField | undefined, left: Json | undefined, right: Json | undefined) => void,
): void {
  const { fields } = type;
  for (const name in right) {
    const field = fields.get(name);
    const a = has.left && (field !== undefined || Object.hasOwn(left, name)) ? visible(field, left[name]) : undefined;
    const b = visible(field, right[name]);
    if (a !== b) visit(name, field, a, b);
  }
  for (const name in left) {
    if (Object.hasOwn(right, name)) continue;
    const field = fields.get(name);
    const a = visible(field, left[name]);
    const b = has.right ? visible(field, undefined) : undefined;
    if (a !== b) visit(name, field, a, b);
  }
  for (const field of type.always) {
    if (Object.hasOwn(left, field.name) || Object.hasOwn(right, field.name)) continue;
    if (has.left !== has.right) visit(field.name, field, has.left ? field.zero : undefined, has.right ? field.zero : undefined);
  }
}

/**
 * Whether what is below an atomic list or map is the same: in order, also of lists whose elements have names or are a set elsewhere, as upstream
 * compares a leaf as a whole (structured-merge-diff).
 */
function sameWhole(type: MergeType, left: Json | undefined, right: Json | undefined): boolean {
  if (left === right) return true;
  if (left === undefined || right === undefined) return false;
  if (type.kind === 'list') {
    // Canonically an empty list that is always written is null.
    if (isEmptyList(left) && isEmptyList(right)) return true;
    if (!Array.isArray(left) || !Array.isArray(right)) return jsonEqual(left, right);
    return left.length === right.length && left.every((element, i) => sameWhole(type.element, element, right[i]));
  }
  if (type.kind !== 'map') return jsonEqual(left, right);
  if (type.nullIsEmpty === true && isNullOrEmpty(left) && isNullOrEmpty(right)) return true;
  if (!isObject(left) || !isObject(right)) return jsonEqual(left, right);
  let same = true;
  compareFields(type, left, right, { left: true, right: true }, (_, field, a, b) => {
    same &&= sameWhole(field?.type ?? type.element ?? untyped, a, b);
  });
  return same;
}

/** Of an atomic list or map. */
function compareWhole(type: MergeType, left: Json | undefined, right: Json | undefined): Nodes | undefined {
  if (left === undefined || right === undefined) return compareLeaf(left, right);
  return sameWhole(type, left, right) ? undefined : leaf('modified');
}

const emptyList: readonly Json[] = [];
const isEmptyList = (value: Json | undefined): boolean => !Array.isArray(value) || value.length === 0;

function compareLists(type: MergeList, left: Json | undefined, right: Json | undefined): Nodes | undefined {
  if (type.relation === 'atomic' || (isEmptyList(left) && isEmptyList(right))) return compareWhole(type, left, right);
  const l = Array.isArray(left) ? left : emptyList;
  const r = Array.isArray(right) ? right : emptyList;
  const differ = new Differ();
  if (!compareInStep(type, l, r, differ)) compareByElement(type, l, r, differ);
  return differ.finish(left, right);
}

/** The usual case: the same elements in the same order. False when it is not; `differ` is then untouched. */
function compareInStep(type: MergeList, left: readonly Json[], right: readonly Json[], differ: Differ): boolean {
  if (left.length !== right.length || left.length === 0) return false;
  const found: [string, Nodes][] = [];
  const seen = new Set<string>();
  try {
    for (let i = 0; i < left.length; i++) {
      const element = elementOf(type, right[i]!);
      if (seen.has(element) || element !== elementOf(type, left[i]!)) return false;
      seen.add(element);
      const nodes = compareNodes(type.element, left[i], right[i]);
      if (nodes !== undefined) found.push([element, nodes]);
    }
  } catch (e) {
    if (e instanceof ListElementError) return false;
    throw e;
  }
  for (const [element, nodes] of found) differ.add(element, nodes);
  return true;
}

function compareByElement(type: MergeList, left: readonly Json[], right: readonly Json[], differ: Differ): void {
  const l = indexElements(type, left);
  const r = indexElements(type, right);
  for (const element of new Set([...l.keys(), ...r.keys()])) {
    const a = l.get(element) ?? emptyList;
    const b = r.get(element) ?? emptyList;
    differ.add(element, compareOccurrences(type, a, b));
  }
}

/** Elements that occur twice count as one atomic thing. */
function compareOccurrences(type: MergeList, a: readonly Json[], b: readonly Json[]): Nodes | undefined {
  if (a.length <= 1 && b.length <= 1) return compareNodes(type.element, a[0], b[0]);
  if (a.length >= 2 && b.length >= 2) return jsonEqual(a as Json[], b as Json[]) ? undefined : leaf('modified');
  const single = a.length >= 2 ? b[0] : a[0];
  const nodes: Nodes =
    single === undefined
      ? only('added', undefined)
      : (compareNodes(type.element, a.length >= 2 ? undefined : single, b.length >= 2 ? undefined : single) ?? only('added', undefined));
  const side = a.length >= 2 ? 'removed' : 'added';
  nodes[side] = makeNode(true, nodes[side]);
  return nodes;
}

/** Compares two objects of a type. */
export function compareObjects(type: MergeMap, left: JsonObject, right: JsonObject): Comparison {
  const nodes = compareMaps(type, left, right);
  return { removed: nodes?.removed ?? emptySet, modified: nodes?.modified ?? emptySet, added: nodes?.added ?? emptySet };
}

/** Leaves out fields that an endpoint does not own, and all below them. */
export function withoutFields(c: Comparison, reset: FieldSet): Comparison {
  return {
    removed: recursiveDifference(c.removed, reset),
    modified: recursiveDifference(c.modified, reset),
    added: recursiveDifference(c.added, reset),
  };
}

export const changedOrAdded = (c: Comparison): FieldSet => union(c.modified, c.added);
