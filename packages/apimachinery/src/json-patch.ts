import { setKey } from './json-exact.ts';
import { freeJsonText } from './json-text.ts';
import type { Json, JsonObject } from './object.ts';

/** A JSON patch that does not fit the document, in the words of upstream's library; to a PATCH the API answers 422 without saying more. */
export class JsonPatchError extends Error {
  override readonly name: string = 'JsonPatchError';
}
/** A `test` operation that found something else: the patch is not to be applied. */
export class JsonPatchTestFailed extends JsonPatchError {
  override readonly name = 'JsonPatchTestFailed';
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
const splitPointer = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

const isIndex = (key: string, length: number): boolean => /^-?\d+$/.test(key) && Number(key) >= -length && Number(key) < length;

/** Negative indices count from the end, as upstream's library allows. `length` = the first index out of bounds. */
function arrayIndex(key: string, length: number): number {
  if (!/^-?\d+$/.test(key))
    throw new JsonPatchError(`value was not a proper array index: '${key}': strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`);
  const given = Number(key);
  const index = given < 0 ? given + length : given;
  if (index < 0 || index >= length) throw new JsonPatchError(`Unable to access invalid index: ${given}: invalid index referenced`);
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
  else throw new JsonPatchError(`Unable to remove nonexistent key: ${key}: missing value`);
}

interface Place {
  readonly container: Container;
  readonly key: string;
}

/** The container that holds the pointer's last part, and that part; undefined: there is none. */
function resolve(root: Json, pointer: string): Place | undefined {
  const parts = splitPointer(pointer);
  const key = parts.pop();
  let current: Json | undefined = root;
  for (const part of parts) {
    if (!isContainer(current)) return undefined;
    if (Array.isArray(current) && !isIndex(part, current.length)) return undefined;
    current = getChild(current, part);
  }
  return key === undefined || !isContainer(current) ? undefined : { container: current, key };
}

function pointerOf(o: JsonPatchOperation, field: 'path' | 'from'): string {
  const pointer = o[field];
  if (typeof pointer === 'string') return pointer;
  const missing = field === 'path' ? 'operation missing path field: missing value' : 'operation, missing from field: missing value';
  const shown = field === 'path' && ['add', 'remove', 'copy'].includes(o.op) ? 'missing value' : missing;
  throw new JsonPatchError(`${o.op} operation failed to decode ${field}: ${shown}`);
}

/** Runs `work`, and says where it failed. */
function at<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (e) {
    if (e instanceof JsonPatchError) throw new JsonPatchError(`${what}: ${e.message}`);
    throw e;
  }
}

const missing = (what: string): JsonPatchError => new JsonPatchError(`${what}: missing value`);

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

function moveOrCopy(root: Json, o: JsonPatchOperation): void {
  const from = pointerOf(o, 'from');
  const source = resolve(root, from);
  if (source === undefined) throw missing(`${o.op} operation does not apply: doc is missing from path: ${from}`);
  const label = o.op === 'move' ? `error in move for path: '${source.key}'` : `error in copy for from: '${from}'`;
  const value = at(label, () => getChild(source.container, source.key)) ?? null;
  if (o.op === 'move') at(label, () => removeChild(source.container, source.key));
  const path = pointerOf(o, 'path');
  const target = resolve(root, path);
  if (target === undefined) throw missing(`${o.op} operation does not apply: doc is missing destination path: ${path}`);
  const put = o.op === 'move' ? `error in move for path: '${path}'` : 'error while adding value during copy';
  at(put, () => addChild(target.container, target.key, o.op === 'move' ? value : deepCopy(value)));
}

function applyOperation(root: Json, o: JsonPatchOperation): Json {
  if (o.path === '' && (o.op === 'replace' || o.op === 'test')) {
    if (o.op === 'replace') return valueOf(o);
    if (!jsonEqual(root, o.value ?? null)) throw new JsonPatchTestFailed('testing value  failed: test failed');
    return root;
  }
  if (o.op === 'move' || o.op === 'copy') {
    moveOrCopy(root, o);
    return root;
  }
  if (!['add', 'remove', 'replace', 'test'].includes(o.op)) throw new JsonPatchError(`Unexpected kind: ${o.op}`);
  const path = pointerOf(o, 'path');
  const place = resolve(root, path);
  if (place === undefined) throw missing(doesNotApply(o.op, path));
  const { container, key } = place;
  switch (o.op) {
    case 'add':
      at(`error in add for path: '${path}'`, () => addChild(container, key, valueOf(o)));
      return root;
    case 'remove':
      at(`error in remove for path: '${path}'`, () => removeChild(container, key));
      return root;
    case 'replace':
      if (!Array.isArray(container)) setKey(container, key, valueOf(o));
      else if (!isIndex(key, container.length)) throw missing(`replace operation does not apply: doc is missing key: ${path}`);
      else container[arrayIndex(key, container.length)] = valueOf(o);
      return root;
    default: {
      const found = at(`error in test for path: '${path}'`, () => getChild(container, key));
      if (!jsonEqual(found ?? null, o.value ?? null)) throw new JsonPatchTestFailed(`testing value ${path} failed: test failed`);
      return root;
    }
  }
}

function doesNotApply(op: string, path: string): string {
  if (op === 'test') return `test operation does not apply: is missing path: ${path}`;
  return `${op} operation does not apply: doc is missing path: ${op === 'replace' ? path : `"${path}"`}`;
}

/** RFC 6902. Consumes `document` (changes it in place). Throws JsonPatchError; the document is then half changed. */
export function applyJsonPatch(document: Json, operations: readonly JsonPatchOperation[]): Json {
  let root = document;
  let copied = 0;
  for (const o of operations) {
    root = applyOperation(root, o);
    // Copies of copies grow exponentially.
    if (o.op === 'copy' && ++copied % 16 === 0 && freeJsonText(root).length > maxPatchedLength)
      throw new JsonPatchError('the document has become too large');
  }
  return root;
}

/** Characters of JSON; far beyond what can be stored. */
const maxPatchedLength = 16 * 1024 * 1024;
