import { jsonText } from '../json-text.ts';
import type { Json, JsonObject } from '../object.ts';

/** Path elements in FieldsV1's spelling: `f:name`, `k:{"name":"a"}` (keys sorted), `v:"x"`, `i:0`. */
export const valueElement = (value: Json): string => `v:${typeof value === 'string' ? quote(value) : jsonText(value, true)}`;
/** `keys` must be sorted by name. */
export function keyElement(keys: readonly (readonly [name: string, value: Json])[]): string {
  let out = 'k:{';
  for (let i = 0; i < keys.length; i++) {
    const [name, value] = keys[i]!;
    out += `${i === 0 ? '' : ','}"${name}":${typeof value === 'string' ? quote(value) : jsonText(value, true)}`;
  }
  return `${out}}`;
}
const quote = (text: string): string => jsonText(text, false);

const rank = (element: string): number => '.fkvi'.indexOf(element[0]!);

/** numbers < strings < booleans < lists < maps < null, as structured-merge-diff orders values. */
function typeRank(value: Json | undefined): number {
  if (typeof value === 'number' || typeof value === 'bigint') return 0;
  if (typeof value === 'string') return 1;
  if (typeof value === 'boolean') return 2;
  if (Array.isArray(value)) return 3;
  return value === null || value === undefined ? 5 : 4;
}
function compareValues(a: Json | undefined, b: Json | undefined): number {
  const types = typeRank(a) - typeRank(b);
  if (types !== 0) return types;
  if (typeof a === 'object' || typeof b === 'object') return compareText(jsonText(a, true), jsonText(b, true));
  return a! < b! ? -1 : a! > b! ? 1 : 0;
}
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function comparePathElements(a: string, b: string): number {
  const ranks = rank(a) - rank(b);
  if (ranks !== 0) return ranks;
  switch (a[0]) {
    case 'k':
      return compareKeys(parseKey(a), parseKey(b));
    case 'v':
      return compareValues(parseValue(a.slice(2)), parseValue(b.slice(2)));
    case 'i':
      return Number(a.slice(2)) - Number(b.slice(2));
    default:
      return compareText(a, b);
  }
}

function parseValue(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
const keyCache = new Map<string, JsonObject>();
const keyCacheSize = 2048;
function parseKey(element: string): JsonObject {
  let key = keyCache.get(element);
  if (key === undefined) {
    const value = parseValue(element.slice(2));
    key = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
    if (keyCache.size >= keyCacheSize) keyCache.clear();
    keyCache.set(element, key);
  }
  return key;
}
function compareKeys(a: JsonObject, b: JsonObject): number {
  const [x, y] = [Object.keys(a).sort(), Object.keys(b).sort()];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const names = compareText(x[i]!, y[i]!);
    const order = names !== 0 ? names : compareValues(a[x[i]!], b[y[i]!]);
    if (order !== 0) return order;
  }
  return x.length - y.length;
}

/** `.spec.containers[name="a"].image`, as conflicts name fields. */
export function formatPath(path: readonly string[]): string {
  return path
    .map((element) => {
      const content = element.slice(2);
      switch (element[0]) {
        case 'k':
          return `[${Object.entries(parseKey(element))
            .sort(([a], [b]) => compareText(a, b))
            .map(([name, value]) => `${name}=${jsonText(value, true)}`)
            .join(',')}]`;
        case 'v':
          return `[=${content}]`;
        case 'i':
          return `[${content}]`;
        default:
          return `.${content}`;
      }
    })
    .join('');
}
