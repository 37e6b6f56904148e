import type { Json, JsonObject } from '../object.ts';
import { comparePathElements } from './path-element.ts';

/**
 * A set of field paths in the form of FieldsV1, which is a trie of path elements. A node that has `.`, or nothing at all, is itself
 * in the set; its other keys lead to more. Only the root differs: `{}` there is the empty set. Sets are never changed once made:
 * operations share what stays the same, and the entries of managers that a write does not touch keep their very objects.
 */
export type FieldSet = JsonObject;

export const emptySet: FieldSet = Object.freeze({});
const leaf: FieldSet = Object.freeze({});

/** A node of a trie that is being made; undefined members mean "nothing there". */
export function makeNode(member: boolean, children: FieldSet | undefined): FieldSet | undefined {
  if (children === undefined) return member ? leaf : undefined;
  return member ? { '.': leaf, ...children } : children;
}

export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Of a node below the root. */
function isMember(node: FieldSet): boolean {
  return Object.hasOwn(node, '.') || isEmptySet(node);
}

const childOf = (node: FieldSet, element: string): FieldSet | undefined =>
  Object.hasOwn(node, element) ? (node[element] as FieldSet) : undefined;

type Combine = (a: FieldSet | undefined, b: FieldSet | undefined) => FieldSet | undefined;

/** Applies `combine` to the children of two nodes; undefined when no child is left. */
function zip(a: FieldSet, b: FieldSet, combine: Combine): FieldSet | undefined {
  let out: FieldSet | undefined;
  const add = (element: string, node: FieldSet | undefined): void => {
    if (node === undefined) return;
    out ??= {};
    out[element] = node;
  };
  for (const element in a) if (element !== '.') add(element, combine(a[element] as FieldSet, childOf(b, element)));
  for (const element in b) if (element !== '.' && !Object.hasOwn(a, element)) add(element, combine(undefined, b[element] as FieldSet));
  return out;
}

const unionNodes: Combine = (a, b) => {
  if (a === undefined || a === b) return b;
  if (b === undefined) return a;
  return makeNode(isMember(a) || isMember(b), zip(a, b, unionNodes));
};
const intersectNodes: Combine = (a, b) => {
  if (a === undefined || b === undefined) return undefined;
  let out: FieldSet | undefined;
  for (const element in b) {
    if (element === '.') continue;
    const node = intersectNodes(childOf(a, element), b[element] as FieldSet);
    if (node !== undefined) (out ??= {})[element] = node;
  }
  return makeNode(isMember(a) && isMember(b), out);
};
const subtractNodes: Combine = (a, b) => {
  if (a === undefined || b === undefined) return a;
  return makeNode(isMember(a) && !isMember(b), zip(a, b, subtractNodes));
};
const subtractRecursively: Combine = (a, b) => {
  if (a === undefined || b === undefined) return a;
  if (isMember(b)) return undefined;
  return makeNode(isMember(a), zip(a, b, subtractRecursively));
};

/** Roots are never members themselves. */
export const union = (a: FieldSet, b: FieldSet): FieldSet => (isEmptySet(a) ? b : isEmptySet(b) ? a : (zip(a, b, unionNodes) ?? emptySet));

/** Cheap when `b` is small: only its paths are walked. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  let out: FieldSet | undefined;
  for (const element in b) {
    const node = intersectNodes(childOf(a, element), b[element] as FieldSet);
    if (node !== undefined) (out ??= {})[element] = node;
  }
  return out ?? emptySet;
}

/** What is in `a` but not in `b`; children of what is in `b` stay. */
export const difference = (a: FieldSet, b: FieldSet): FieldSet => (isEmptySet(b) ? a : (zip(a, b, subtractNodes) ?? emptySet));
/** What is in `a` but neither in `b` nor below anything in `b`. */
export const recursiveDifference = (a: FieldSet, b: FieldSet): FieldSet =>
  isEmptySet(b) ? a : (zip(a, b, subtractRecursively) ?? emptySet);

/** `status`, `spec.replicas` → a set, for recursiveDifference. */
export function setOfPaths(paths: readonly string[]): FieldSet {
  let out = emptySet;
  for (const path of paths) {
    const node = path
      .split('.')
      .reverse()
      .reduce<FieldSet>((below, name) => ({ [`f:${name}`]: below }), leaf);
    out = union(out, node);
  }
  return out;
}

/** The node below an element, and whether the element itself is in the set. */
export function descend(set: FieldSet, element: string): { member: boolean; below: FieldSet | undefined } {
  const node = childOf(set, element);
  if (node === undefined) return { member: false, below: undefined };
  return { member: isMember(node), below: hasChildren(node) ? node : undefined };
}
function hasChildren(node: FieldSet): boolean {
  for (const key in node) if (key !== '.') return true;
  return false;
}

/** The order in which upstream writes elements: fields, keys, values, indices, each sorted; `.` first. */
export function sortSet(set: FieldSet): FieldSet {
  const elements = Object.keys(set);
  const sorted: FieldSet = {};
  let changed = false;
  const ordered = elements.length < 2 ? elements : [...elements].sort(comparePathElements);
  for (let i = 0; i < ordered.length; i++) {
    const element = ordered[i]!;
    const node = set[element] as FieldSet;
    const below = isEmptySet(node) ? node : sortSet(node);
    if (below !== node || element !== elements[i]) changed = true;
    sorted[element] = below;
  }
  return changed ? sorted : set;
}

/** All paths in the set: at each level first what is in the set itself, then what lies deeper. */
export function pathsOf(set: FieldSet): string[][] {
  const out: string[][] = [];
  const walk = (node: FieldSet, prefix: readonly string[]): void => {
    const elements = Object.keys(node)
      .filter((e) => e !== '.')
      .sort(comparePathElements);
    for (const e of elements) if (isMember(node[e] as FieldSet)) out.push([...prefix, e]);
    for (const e of elements) walk(node[e] as FieldSet, [...prefix, e]);
  };
  walk(set, []);
  return out;
}

/** True for what FieldsV1 may hold: objects all the way down, elements that begin with `f:`, `k:`, `v:` or `i:`. */
export function isFieldSet(value: Json | undefined): value is FieldSet {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  for (const key in value) {
    if (key !== '.' && !/^[fkvi]:/.test(key)) return false;
    if (!isFieldSet(value[key])) return false;
  }
  return true;
}
