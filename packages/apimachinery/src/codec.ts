import { DecodeError, type DecodeContext, newDecodeContext, saveTypeError } from './decode-context.ts';
import { createDecoderFactory } from './decode.ts';
import { createDefaulterFactory } from './defaults.ts';
import { createEncoderFactory, type EmptyForm, type StructEncoder } from './encode.ts';
import { goStructName } from './go-type.ts';
import type { ParsedJson } from './json.ts';
import { quoteJson } from './json-text.ts';
import type { DeepReadonly, GroupVersionKind, Json, JsonObject, KubeObject } from './object.ts';
import type { SchemaRegistry } from './schema.ts';
import { badRequest, type StatusError } from './status-error.ts';

export { DecodeError } from './decode-context.ts';

/**
 * An object's canonical bytes, without a resourceVersion, and the places where views cut them. Metadata has a name, so that what is
 * spliced in at `resourceVersionAt` is always `,"resourceVersion":"N"`.
 */
export interface EncodedObject {
  readonly bytes: Buffer;
  /** End of `{"kind":…,"apiVersion":…,`: a list item of a built-in kind is `{` and what follows here. For custom resources 1. */
  readonly typeMetaEnd: number;
  /** Start of `"metadata":{…}`. Equal to typeMetaEnd for built-in kinds. */
  readonly metadataStart: number;
  readonly resourceVersionAt: number;
  /** Just behind metadata's closing brace. */
  readonly metadataEnd: number;
}

export interface Decoded<T> {
  readonly object: T;
  /**
   * `unknown field "spec.foo"`, `duplicate field "spec.bar"`, in the decoder's order: warnings or, under fieldValidation=Strict, an
   * error (see strictDecodingError).
   */
  readonly strictErrors: readonly string[];
}

export interface DecodeOptions {
  /** The value is a patched tree of a strategic merge patch: type errors are in the words that upstream has for these. */
  readonly patched?: boolean;
}

/** What makes objects of one kind and version out of JSON, and bytes out of objects. */
export interface ObjectCodec<T> {
  readonly schemaName: string;
  readonly registry: SchemaRegistry;
  /**
   * Consumes `parsed.value`. Unknown fields are dropped and noted; the object is in canonical in-memory form: what Go would omit is
   * absent, what Go always writes is there. Throws DecodeError (a 400, see cannotBeHandled).
   */
  decode(parsed: ParsedJson, o?: DecodeOptions): Decoded<T>;
  /** `+default` markers only; the kind's own defaults come after it. Idempotent. */
  applyDefaults(draft: T): void;
  /** Canonical bytes. Works on any draft: absent and zero values are treated alike, as Go's encoder would. */
  encode(object: DeepReadonly<T>): EncodedObject;
  /** The same text for what is not stored: with its resourceVersion, and empty lists as `[]`. */
  encodeResponse(object: DeepReadonly<T>): string;
}

const maxStrictErrors = 100;
const objectMetaName = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

function strictErrorsOf(c: DecodeContext, parsed: ParsedJson): string[] {
  const unknown = c.unknown.map((path) => ({ path, text: `unknown field ${JSON.stringify(path)}` }));
  const head = parsed.yamlError === undefined ? [] : [parsed.yamlError];
  if (parsed.keys === undefined) return [...head, ...unknown.slice(0, maxStrictErrors).map((u) => u.text)];
  const { firstSeen, duplicates } = parsed.keys;
  const skipped = [...c.unknown, ...(c.free ?? [])];
  const isBelow = (path: string): boolean => skipped.some((s) => path === s || path.startsWith(`${s}.`) || path.startsWith(`${s}[`));
  const all = unknown.map((u) => ({ text: u.text, order: firstSeen.get(u.path) ?? 0 }));
  for (const d of duplicates) if (!isBelow(d.path)) all.push({ text: `duplicate field ${JSON.stringify(d.path)}`, order: d.order });
  const texts = all.sort((a, b) => a.order - b.order).map((e) => e.text);
  return [...head, ...new Set(texts)].slice(0, maxStrictErrors);
}

/** The 400 of upstream for a body that is not of the kind: `Deployment in version "v1" cannot be handled as a Deployment: …`. */
export const cannotBeHandled = (gvk: Pick<GroupVersionKind, 'version' | 'kind'>, message: string): StatusError =>
  badRequest(`${gvk.kind} in version ${JSON.stringify(gvk.version)} cannot be handled as a ${gvk.kind}: ${message}`);

/** The message under fieldValidation=Strict. */
export const strictDecodingError = (strictErrors: readonly string[]): string => `strict decoding error: ${strictErrors.join(', ')}`;

interface Compiled {
  decoder: ReturnType<typeof createDecoderFactory>;
  defaulter: ReturnType<typeof createDefaulterFactory>;
  encoder: (empty: EmptyForm) => (name: string) => StructEncoder;
}
const factories = new WeakMap<SchemaRegistry, Compiled>();

function factoriesOf(registry: SchemaRegistry): Compiled {
  let made = factories.get(registry);
  if (made === undefined) {
    const stored = createEncoderFactory(registry, 'null');
    const served = createEncoderFactory(registry, 'empty');
    made = {
      decoder: createDecoderFactory(registry),
      defaulter: createDefaulterFactory(registry),
      encoder: (empty) => (empty === 'null' ? stored : served),
    };
    factories.set(registry, made);
  }
  return made;
}

/** The codec of a built-in kind (or of any struct: DeleteOptions, Scale, Table): Go's decoding and encoding rules. */
export function createTypedCodec<T extends object>(registry: SchemaRegistry, schemaName: string): ObjectCodec<T> {
  const factory = factoriesOf(registry);
  const struct = registry.struct(schemaName);
  if (struct === undefined) throw new Error(`unknown struct ${schemaName}`);
  const hasObjectMeta = struct.fields.some((f) => f.name === 'metadata' && f.type.kind === 'struct' && f.type.name === objectMetaName);
  const decoder = factory.decoder(schemaName);
  const encoder = factory.encoder('null')(schemaName);
  const splitter = createSplitter(encoder, factory.encoder('null'), hasObjectMeta);
  let defaulter: ((value: Json) => void) | undefined;
  let defaulterMade = false;

  return {
    schemaName,
    registry,
    decode(parsed, o) {
      const c = newDecodeContext(parsed.keys !== undefined, o?.patched);
      const { value } = parsed;
      let object: JsonObject = {};
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) object = decoder.decode(value, c);
      else if (value === null) object = decoder.zero();
      else saveTypeError(c, value, goStructName(struct));
      if (c.firstError !== undefined) throw c.firstError;
      return {
        object: object as T,
        strictErrors: c.unknown.length > 0 || parsed.keys || parsed.yamlError ? strictErrorsOf(c, parsed) : [],
      };
    },
    applyDefaults(draft) {
      if (!defaulterMade) {
        defaulter = factory.defaulter(schemaName);
        defaulterMade = true;
      }
      defaulter?.(draft as JsonObject);
    },
    encode: (object) => splitter(object as unknown as JsonObject),
    encodeResponse: (object) =>
      factory
        .encoder('empty')(schemaName)
        .encode(object as unknown as JsonObject),
  };
}

/** Encodes in the four pieces whose borders EncodedObject records; what has no ObjectMeta has no borders. */
function createSplitter(
  encoder: StructEncoder,
  encoders: (name: string) => StructEncoder,
  hasObjectMeta: boolean,
): (object: JsonObject) => EncodedObject {
  const names = encoder.fieldNames;
  const metadataAt = names.indexOf('metadata');
  if (!hasObjectMeta) {
    return (object) => {
      const bytes = Buffer.from(encoder.encode(object), 'utf8');
      return { bytes, typeMetaEnd: 1, metadataStart: 1, resourceVersionAt: 1, metadataEnd: 1 };
    };
  }
  const meta = encoders(objectMetaName);
  const versionAt = meta.fieldNames.indexOf('resourceVersion');
  return (object) => {
    const metadata = (object['metadata'] ?? {}) as JsonObject;
    const typeMeta = `{${encoder.fields(object, 0, metadataAt)}`;
    const before = meta.fields(metadata, 0, versionAt);
    const after = meta.fields(metadata, versionAt + 1, meta.fieldNames.length);
    const rest = encoder.fields(object, metadataAt + 1, names.length);
    const head = typeMeta === '{' ? '{' : `${typeMeta},`;
    const metaHead = `"metadata":{${before}`;
    const metaTail = `${before !== '' && after !== '' ? ',' : ''}${after}}`;
    const text = `${head}${metaHead}${metaTail}${rest === '' ? '' : `,${rest}`}}`;
    const bytes = Buffer.from(text, 'utf8');
    const ascii = bytes.length === text.length;
    const size = (s: string): number => (ascii ? s.length : Buffer.byteLength(s));
    const typeMetaEnd = size(head);
    const resourceVersionAt = typeMetaEnd + size(metaHead);
    return { bytes, typeMetaEnd, metadataStart: typeMetaEnd, resourceVersionAt, metadataEnd: resourceVersionAt + size(metaTail) };
  };
}

/** The text to splice in at `resourceVersionAt`. */
export const resourceVersionText = (resourceVersion: string): string => `,"resourceVersion":${quoteJson(resourceVersion)}`;

/** A whole object as served: the stored bytes with their resourceVersion. */
export function withResourceVersion(encoded: Pick<EncodedObject, 'bytes' | 'resourceVersionAt'>, resourceVersion: string): Buffer {
  const { bytes, resourceVersionAt: at } = encoded;
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(resourceVersionText(resourceVersion), 'latin1'), bytes.subarray(at)]);
}

/** `KubeObject` of a kind, or DecodeError: for callers that hold bytes of a known kind. */
export function decodeKnown<T extends KubeObject>(codec: ObjectCodec<T>, parsed: ParsedJson): T {
  const { object, strictErrors } = codec.decode(parsed);
  if (strictErrors.length > 0) throw new DecodeError(strictDecodingError(strictErrors));
  return object;
}
