import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import type { Alias, Document, LineCounter, Node, ParsedNode } from 'yaml';
import { maxJsonDepth, setKey } from './json-exact.ts';
import { parseJson, type ParsedJson } from './json.ts';
import { sortedKeys } from './json-text.ts';
import type { Json, JsonObject } from './object.ts';

let loaded: typeof Yaml | undefined;
/** Loaded with the first document that is not JSON: most processes never see one, and it is large. */
const yaml = (): typeof Yaml => (loaded ??= createRequire(import.meta.url)('yaml') as typeof Yaml);

/** A body that is no YAML; the message begins `yaml: line N: `, the rest is our parser's and not go-yaml's. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
}

/** Aliases may blow a small text up; what they make is bounded by this many nodes, or ten for each character of the text. */
const minNodes = 10_000;
const nodesPerCharacter = 10;

class Converter {
  readonly duplicates: string[] = [];
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #limit: number;
  #nodes = 0;
  #depth = 0;

  constructor(document: Document, lines: LineCounter, textLength: number) {
    this.#document = document;
    this.#lines = lines;
    this.#limit = Math.max(minNodes, textLength * nodesPerCharacter);
  }

  value(node: Node | null): Json {
    if (node === null) return null;
    if (++this.#nodes > this.#limit) throw new YamlError('yaml: document contains excessive aliasing');
    if (++this.#depth > maxJsonDepth) throw new YamlError('yaml: exceeded max depth');
    const value = this.#convert(node);
    this.#depth--;
    return value;
  }

  #convert(node: Node): Json {
    const { isAlias, isScalar, isSeq, isMap } = yaml();
    if (isAlias(node)) return this.value(this.#target(node));
    if (isScalar(node)) return scalarValue(node.value);
    if (isSeq(node)) return node.items.map((item) => this.value(item as Node));
    if (isMap(node)) return this.#map(node.items as { key: Node; value: Node | null }[]);
    throw new YamlError('yaml: unsupported node');
  }

  #target(alias: Alias): Node {
    const target = alias.resolve(this.#document);
    if (target === undefined) throw new YamlError(`yaml: unknown anchor '${alias.source}' referenced`);
    return target;
  }

  #map(items: readonly { key: Node; value: Node | null }[]): JsonObject {
    const own: JsonObject = {};
    const merged: JsonObject = {};
    for (const { key, value } of items) {
      if (yaml().isScalar(key) && (key.value === '<<' || typeof key.value === 'symbol')) {
        const from = this.value(value);
        for (const source of Array.isArray(from) ? from : [from])
          if (typeof source === 'object' && source !== null) Object.assign(merged, source);
        continue;
      }
      const name = keyText(yaml().isAlias(key) ? this.value(key) : scalarValue((key as { value?: unknown }).value));
      if (Object.hasOwn(own, name)) {
        const line = this.#lines.linePos(key.range?.[0] ?? 0).line;
        this.duplicates.push(`  line ${line}: key ${JSON.stringify(name)} already set in map`);
      }
      setKey(own, name, this.value(value));
    }
    const all = { ...merged, ...own };
    const sorted: JsonObject = {};
    // As upstream, which turns YAML into a Go map and that into JSON.
    for (const key of sortedKeys(all)) setKey(sorted, key, all[key]);
    return sorted;
  }
}

function scalarValue(value: unknown): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    case 'number':
      if (!Number.isFinite(value))
        throw new YamlError(`json: unsupported value: ${Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'}`);
      return value;
    default:
      if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
      if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
      return null;
  }
}

function keyText(key: Json): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'number' || typeof key === 'boolean' || typeof key === 'bigint') return String(key);
  throw new YamlError(`unsupported map key of type: ${key === null ? '<nil>' : typeof key}`);
}

function parseFirst(text: string, lines: LineCounter): Document<ParsedNode> | undefined {
  try {
    const documents = yaml().parseAllDocuments(text, {
      version: '1.1',
      uniqueKeys: false,
      intAsBigInt: true,
      lineCounter: lines,
      // go-yaml knows no base-60 numbers: `22:22` is a string.
      customTags: (tags) => tags.filter((t) => typeof t === 'string' || t.format !== 'TIME'),
    });
    return Array.isArray(documents) ? documents[0] : undefined;
  } catch (e) {
    if (e instanceof RangeError) throw new YamlError('yaml: exceeded max depth');
    throw e;
  }
}

/** The parser takes quadratic time on thousands of open brackets; no honest text has them, in strings or out. */
function looksTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 91 || c === 123) {
      if (++depth > 4 * maxJsonDepth) return true;
    } else if ((c === 93 || c === 125) && depth > 0) depth--;
  }
  return false;
}

/**
 * Parses a YAML body (or JSON, which is tried first) to what upstream would make of it: the first document, YAML 1.1's scalars,
 * keys sorted. Duplicate keys are noted in go-yaml's words for strict decoding.
 */
export function parseYaml(body: string | Uint8Array): ParsedJson {
  const text = typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  if (/^\s*\{/.test(text)) {
    try {
      return parseJson(text);
    } catch {
      // YAML's flow style: what follows will say.
    }
  }
  if (looksTooDeep(text)) throw new YamlError('yaml: exceeded max depth');
  const lines = new (yaml().LineCounter)();
  const document = parseFirst(text, lines);
  if (document === undefined) return { value: null };
  const error = document.errors[0];
  if (error !== undefined)
    throw new YamlError(
      `yaml: line ${error.linePos?.[0].line ?? 1}: ${error.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '')}`,
    );
  const converter = new Converter(document, lines, text.length);
  const value = converter.value(document.contents);
  if (converter.duplicates.length === 0) return { value };
  return { value, yamlError: `yaml: unmarshal errors:\n${converter.duplicates.join('\n')}` };
}
