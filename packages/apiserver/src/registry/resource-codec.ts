import {
  cannotBeHandled,
  createTypedCodec,
  decodeProtobufMessage,
  DecodeError,
  type DeepReadonly,
  type JsonObject,
  type KubeObject,
  type ObjectCodec,
  type ParsedJson,
  parseJson,
  protobufMagic,
  readProtobufEnvelope,
  type ResourceDefinition,
  type SchemaRegistry,
} from '@skiff/apimachinery';
import type { ServedForm } from '../storage/stored-entry.ts';
import { isEncrypted } from '../encryption/transformers.ts';
import { apiVersionOf } from './render.ts';

/** A decoded, defaulted object in the served version. */
export interface DecodedBody {
  readonly object: KubeObject;
  /** Unknown and duplicate fields. */
  readonly strictErrors: readonly string[];
}

/** An object ready to be stored, and what its own version's view shows of it: both from one encoding. */
export interface EncodedObject {
  readonly value: Buffer;
  readonly form: ServedForm;
  /** `value` is not what is to be stored: a webhook has to make that of it (`storable`). */
  readonly unconverted?: true;
}

/** Everything that depends on the structure of one resource in one served version. Pure. */
export interface ResourceCodec {
  readonly structure: ObjectCodec<KubeObject>;
  /** A parsed body or a patched tree (which it consumes) → object with defaults. Throws BadRequest in the decoder's words. */
  decode(parsed: ParsedJson): DecodedBody;
  /** Kind, apiVersion and defaults of an object that `structure` decoded. */
  finish(object: KubeObject): void;
  /** Applies defaults again, after admission changed the object. */
  applyDefaults(object: KubeObject): void;
  /** Canonical bytes in the storage version, without resourceVersion. */
  encode(object: DeepReadonly<KubeObject>): EncodedObject;
  /** What a view shows of stored bytes. Throws on anything undecodable. */
  serve(value: Buffer): ServedForm;
  /** Set where a webhook converts: its part of `serve` and `encode`, which then do the rest. */
  readonly webhook?: WebhookCodec;
  /** A fresh object from a view's bytes, without resourceVersion. */
  parse(form: ServedForm): KubeObject;
  /** Bytes of an object with nothing but this metadata: a BOOKMARK's. */
  empty(metadata: string): Buffer;
}

/** What comes before and after a conversion by webhook. */
export interface WebhookCodec {
  /** Is a stored value in another version than this one? */
  needs(value: Buffer): boolean;
  /** A stored value as its own version has it. */
  source(value: Buffer): JsonObject;
  /** What the view shows of such an object when it is converted to this version. */
  serveConverted(tree: JsonObject): ServedForm;
  /** Canonical bytes of an object that was converted to the storage version. */
  encodeConverted(tree: JsonObject): Buffer;
}

/** The decoder and encoder of a kind: of its struct, or of what its CustomResourceDefinition says. */
const structureOf = (schema: SchemaRegistry, d: ResourceDefinition): ObjectCodec<KubeObject> =>
  d.custom?.codec ?? createTypedCodec<KubeObject>(schema, d.schemaName);

function refuseEncrypted(value: Buffer): void {
  if (isEncrypted(value)) throw new Error('it is encrypted, and no key that this server has opens it');
}

/** The apiVersion of a stored value, which canonical bytes begin with. */
export function storedApiVersion(value: Buffer): string {
  refuseEncrypted(value);
  const head = /^\{(?:"kind":"[^"\\]*",)?"apiVersion":"([^"\\]*)"/.exec(value.toString('latin1', 0, 512));
  if (head?.[1] !== undefined) return head[1];
  const { apiVersion } = parseJson(value).value as { apiVersion?: unknown };
  return typeof apiVersion === 'string' ? apiVersion : '';
}

const noLabels: Readonly<Record<string, string>> = Object.freeze({});

/** `storage`: the definition of the version that objects are stored in, where that is another. */
export function createResourceCodec(schema: SchemaRegistry, d: ResourceDefinition, storage: ResourceDefinition = d): ResourceCodec {
  const structure = structureOf(schema, d);
  const stored = storage === d ? structure : structureOf(schema, storage);
  const apiVersion = apiVersionOf(d);
  const selectable = Object.entries(d.selectableFields ?? {});
  let emptyHead: Buffer | undefined;
  let emptyTail: Buffer | undefined;

  const formOf = (object: DeepReadonly<KubeObject>, encoded: ReturnType<typeof structure.encode>, bytes = encoded.bytes): ServedForm => {
    const fields: Record<string, string> = {
      'metadata.name': object.metadata?.name ?? '',
      'metadata.namespace': object.metadata?.namespace ?? '',
    };
    for (const [name, value] of selectable) fields[name] = value(object);
    return {
      bytes,
      metadataStart: encoded.metadataStart,
      versionAt: encoded.resourceVersionAt,
      metadataEnd: encoded.metadataEnd,
      labels: object.metadata?.labels ?? noLabels,
      fields,
    };
  };
  const applyDefaults = (object: KubeObject): void => {
    structure.applyDefaults(object);
    d.defaults?.(object);
  };
  const finish = (object: KubeObject): void => {
    object.kind = d.kind;
    object.apiVersion = apiVersion;
    applyDefaults(object);
  };
  /** Values that an upstream apiserver wrote. */
  const parseStoredProtobuf = (value: Buffer): JsonObject => {
    const { kind, raw } = readProtobufEnvelope(value);
    if (kind !== storage.kind) throw new Error(`the value is a ${kind}`);
    return { ...decodeProtobufMessage(schema, storage.schemaName, raw), kind, apiVersion: apiVersionOf(storage) };
  };
  const toServed = (tree: JsonObject): JsonObject => {
    if (storage === d) return tree;
    const converted = d.conversion === undefined ? tree : d.conversion.fromStorage(tree);
    return { ...converted, kind: d.kind, apiVersion };
  };

  const parseStored = (value: Buffer): JsonObject => {
    refuseEncrypted(value);
    const tree = value.subarray(0, 4).equals(protobufMagic) ? parseStoredProtobuf(value) : parseJson(value).value;
    if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) throw new Error('the value is no JSON object');
    return tree;
  };
  const serveTree = (tree: JsonObject, value?: Buffer): ServedForm => {
    const { object } = structure.decode({ value: tree });
    if (object.metadata !== undefined) delete object.metadata.resourceVersion;
    finish(object);
    const encoded = structure.encode(object);
    return formOf(object, encoded, value !== undefined && encoded.bytes.equals(value) ? value : encoded.bytes);
  };
  const canonical = (codec: ObjectCodec<KubeObject>, tree: JsonObject): ReturnType<typeof structure.encode> => {
    const { object } = codec.decode({ value: tree });
    codec.applyDefaults(object);
    return codec.encode(object);
  };
  const custom = d.custom;
  const webhook: WebhookCodec | undefined =
    custom?.webhook === undefined
      ? undefined
      : {
          needs: (value) => storedApiVersion(value) !== apiVersion,
          source: (value) => {
            const tree = parseStored(value);
            const own = custom.versionOf(storedApiVersion(value).split('/')[1] ?? '')?.custom;
            return own === undefined ? tree : (parseJson(canonical(own.codec, tree).bytes).value as JsonObject);
          },
          serveConverted: (tree) => serveTree(tree),
          encodeConverted: (tree) => canonical(stored, tree).bytes,
        };

  return {
    structure,
    decode(parsed) {
      let decoded: ReturnType<typeof structure.decode>;
      try {
        decoded = structure.decode(parsed);
      } catch (error) {
        if (error instanceof DecodeError) throw cannotBeHandled(d, error.message);
        throw error;
      }
      finish(decoded.object);
      return decoded;
    },
    finish,
    applyDefaults,
    encode(object) {
      const encoded = structure.encode(object);
      const form = formOf(object, encoded);
      if (storage === d) return { value: encoded.bytes, form };
      if (webhook !== undefined) return { value: encoded.bytes, form, unconverted: true };
      const tree = structuredClone(object) as unknown as JsonObject;
      const converted = d.conversion === undefined ? tree : d.conversion.toStorage(tree);
      return { form, value: stored.encode({ ...converted, kind: storage.kind, apiVersion: apiVersionOf(storage) } as KubeObject).bytes };
    },
    serve: (value) => serveTree(toServed(parseStored(value)), value),
    ...(webhook === undefined ? {} : { webhook }),
    parse: (form) => parseJson(form.bytes).value as unknown as KubeObject,
    empty(metadata) {
      if (emptyHead === undefined || emptyTail === undefined) {
        const encoded = structure.encode({ kind: d.kind, apiVersion, metadata: {} });
        emptyHead = encoded.bytes.subarray(0, encoded.metadataStart);
        emptyTail = encoded.bytes.subarray(encoded.metadataEnd);
      }
      return Buffer.concat([emptyHead, Buffer.from(`"metadata":${metadata}`), emptyTail]);
    },
  };
}
