import { setKey } from './json-exact.ts';
import type { Json, JsonObject } from './object.ts';

/** A JSON patch that does not fit the document; the API answers 422 without saying more. */
export class JsonPatchError extends Error {
  override readonly name = 'JsonPatchError';
}

export interface JsonPatchOperation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: Json;
}

export const maxJsonPatchOperations = 10_000;

type Container = JsonObject | Json[];
const isContainer = (value: Json | undefined): value is Container => typeof value === 'object' && value !== null;

/** Like upstream's library, this does not look at what stands before the first slash. */
function splitPointer(pointer: string | undefined): string[] {
  if (typeof pointer !== 'string') throw new JsonPatchError('operation missing path field');
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Negative indices count from the end, as upstream's library allows. `length` = the first index out of bounds. */
function arrayIndex(key: string, length: number): number {
  if (!/^-?\d+$/.test(key)) throw new JsonPatchError(`value was not a proper array index: '${key}'`);
  const given = Number(key);
  const index = given < 0 ? given + length : given;
  if (index < 0 || index >= length) throw new JsonPatchError(`Unable to access invalid index: ${key}`);
  return index;
}

/** Undefined: an object without that key, which upstream's library takes for null (so that `replace` may add). */
function getChild(container: Container, key: string): Json | undefined {
  if (Array.isArray(container)) return container[arrayIndex(key, container.length)]!;
  return Object.hasOwn(container, key) ? container[key] : undefined;
}

function addChild(container: Container, key: string, value: Json): void {
  if (!Array.isArray(container)) setKey(container, key, value);
  else if (key === '-') container.push(value);
  // One more place than there are elements; counted from the end, -1 is behind the last.
  else container.splice(arrayIndex(key, container.length + 1), 0, value);
}

function removeChild(container: Container, key: string): void {
  if (Array.isArray(container)) container.splice(arrayIndex(key, container.length), 1);
  else if (Object.hasOwn(container, key)) delete container[key];
  else throw new JsonPatchError(`Unable to remove nonexistent key: ${key}`);
}

/** The container that holds the pointer's last part, and that part. */
function resolve(root: Json, pointer: string | undefined): { container: Container; key: string } {
  const parts = splitPointer(pointer);
  const key = parts.pop();
  let current: Json | undefined = root;
  for (const part of parts) {
    if (!isContainer(current)) throw new JsonPatchError(`doc is missing path: ${pointer}`);
    current = getChild(current, part);
  }
  if (key === undefined || !isContainer(current)) throw new JsonPatchError(`doc is missing path: ${pointer}`);
  return { container: current, key };
}

const deepCopy = (value: Json): Json => (isContainer(value) ? structuredClone(value) : value);

export function jsonEqual(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (!isContainer(a) || !isContainer(b)) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((v, i) => jsonEqual(v, b[i]));
  }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => Object.hasOwn(b, k) && jsonEqual(a[k], b[k]));
}

function valueOf(o: JsonPatchOperation): Json {
  return o.value === undefined ? null : deepCopy(o.value);
}

function applyOperation(root: Json, o: JsonPatchOperation): Json {
  if (o.path === '' && (o.op === 'replace' || o.op === 'test')) {
    if (o.op === 'replace') return valueOf(o);
    if (!jsonEqual(root, o.value ?? null)) throw new JsonPatchError('testing value  failed');
    return root;
  }
  switch (o.op) {
    case 'add': {
      const { container, key } = resolve(root, o.path);
      addChild(container, key, valueOf(o));
      return root;
    }
    case 'remove': {
      const { container, key } = resolve(root, o.path);
      removeChild(container, key);
      return root;
    }
    case 'replace': {
      const { container, key } = resolve(root, o.path);
      getChild(container, key);
      if (Array.isArray(container)) container[arrayIndex(key, container.length)] = valueOf(o);
      else setKey(container, key, valueOf(o));
      return root;
    }
    case 'move':
    case 'copy': {
      const from = resolve(root, o.from);
      const value = getChild(from.container, from.key) ?? null;
      if (o.op === 'move') removeChild(from.container, from.key);
      const to = resolve(root, o.path);
      addChild(to.container, to.key, o.op === 'move' ? value : deepCopy(value));
      return root;
    }
    case 'test': {
      const { container, key } = resolve(root, o.path);
      if (!jsonEqual(getChild(container, key) ?? null, o.value ?? null)) throw new JsonPatchError(`testing value ${o.path} failed`);
      return root;
    }
    default:
      throw new JsonPatchError(`Unexpected kind: ${o.op}`);
  }
}

/** RFC 6902. Consumes `document` (changes it in place). Throws JsonPatchError; the document is then half changed. */
export function applyJsonPatch(document: Json, operations: readonly JsonPatchOperation[]): Json {
  let root = document;
  let copied = 0;
  for (const o of operations) {
    root = applyOperation(root, o);
    // Copies of copies grow exponentially.
    if (o.op === 'copy' && ++copied % 16 === 0 && JSON.stringify(root).length > maxPatchedLength)
      throw new JsonPatchError('the document has become too large');
  }
  return root;
}

/** Characters of JSON; far beyond what can be stored. */
const maxPatchedLength = 16 * 1024 * 1024;
