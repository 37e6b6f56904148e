import { DecodeError, type Decoded, type ObjectCodec, strictDecodingError } from './codec.ts';
import { invalid } from './field-error.ts';
import { goValueText } from './go-value-text.ts';
import { parseJson, type ParsedJson } from './json.ts';
import { JsonSyntaxError } from './json-exact.ts';
import { applyJsonPatch, type JsonPatchOperation, JsonPatchError, maxJsonPatchOperations } from './json-patch.ts';
import { jsonText } from './json-text.ts';
import { applyMergePatch } from './merge-patch.ts';
import type { Json, JsonObject } from './object.ts';
import { badRequest, StatusError } from './status-error.ts';
import { applyStrategicMergePatch, unprocessable } from './strategic-merge-patch.ts';

export const patchContentTypes = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
} as const;
export type PatchType = Exclude<(typeof patchContentTypes)[keyof typeof patchContentTypes], 'apply'>;

/** A patch that was read once and can be applied to each newer state of the object. */
export interface PreparedPatch {
  /** Duplicate fields of the patch itself; unknown fields show when the patched object is decoded. */
  readonly strictErrors: readonly string[];
  readonly type: PatchType;
  /** Patches a tree (kind and apiVersion included), which it consumes. Throws StatusError. */
  apply(document: JsonObject): JsonObject;
  /** How the complaint about an undecodable result quotes it: the patched JSON, or for strategic patches the patch in Go's notation. */
  quote(patched: JsonObject): string;
}

const isObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const kindWord = (value: Json): string =>
  Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value;

function parsePatch(body: string | Uint8Array, prefix: string): ParsedJson {
  try {
    return parseJson(body);
  } catch (e) {
    if (e instanceof JsonSyntaxError) throw badRequest(prefix + e.message);
    throw e;
  }
}

const duplicates = (parsed: ParsedJson): string[] => [
  ...new Set((parsed.keys?.duplicates ?? []).map((d) => `duplicate field ${JSON.stringify(d.path)}`)),
];

function readOperations(parsed: ParsedJson): { operations: JsonPatchOperation[]; strictErrors: string[] } {
  const { value } = parsed;
  if (!Array.isArray(value))
    throw badRequest(`error decoding patch: json: cannot unmarshal ${kindWord(value)} into Go value of type []handlers.jsonPatchOp`);
  if (value.length > maxJsonPatchOperations) {
    throw new StatusError(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${maxJsonPatchOperations}, got ${value.length}`,
    );
  }
  const strictErrors = duplicates(parsed);
  const operations = value.map((item, i): JsonPatchOperation => {
    if (!isObject(item))
      throw badRequest(`error decoding patch: json: cannot unmarshal ${kindWord(item)} into Go value of type handlers.jsonPatchOp`);
    for (const key of Object.keys(item)) {
      if (!['op', 'path', 'from', 'value'].includes(key)) strictErrors.push(`unknown field ${JSON.stringify(`[${i}].${key}`)}`);
      else if (key !== 'value' && typeof item[key] !== 'string') {
        throw badRequest(
          `error decoding patch: json: cannot unmarshal ${kindWord(item[key]!)} into Go struct field jsonPatchOp.${key} of type string`,
        );
      }
    }
    return item as unknown as JsonPatchOperation;
  });
  return { operations, strictErrors: strictErrors.map((e) => `json patch ${e}`) };
}

function readMap(parsed: ParsedJson, prefix: string): JsonObject {
  if (!isObject(parsed.value))
    throw badRequest(`${prefix}json: cannot unmarshal ${kindWord(parsed.value)} into Go value of type map[string]interface {}`);
  return parsed.value;
}

/** Reads a patch body. Throws BadRequest or RequestEntityTooLarge. Strategic patches need the codec of the kind they patch. */
export function preparePatch(
  type: PatchType,
  body: string | Uint8Array,
  codec: Pick<ObjectCodec<object>, 'registry' | 'schemaName'>,
): PreparedPatch {
  const quote = (patched: JsonObject): string => jsonText(patched, true);
  if (type === 'strategic') {
    const parsed = parsePatch(body, '');
    const patch = readMap(parsed, '');
    return {
      strictErrors: duplicates(parsed),
      type,
      apply: (document) => applyStrategicMergePatch(document, patch, codec),
      quote: () => goValueText(patch),
    };
  }
  const parsed = parsePatch(body, 'error decoding patch: ');
  if (type === 'merge') {
    const patch = readMap(parsed, 'error decoding patch: ');
    return {
      strictErrors: duplicates(parsed),
      type,
      apply: (document) => applyMergePatch(document, structuredClone(patch)) as JsonObject,
      quote,
    };
  }
  const { operations, strictErrors } = readOperations(parsed);
  return {
    strictErrors,
    type,
    apply(document) {
      let patched: Json;
      try {
        patched = applyJsonPatch(document, operations);
      } catch (e) {
        if (e instanceof JsonPatchError) throw unprocessable();
        throw e;
      }
      if (!isObject(patched)) throw unprocessable();
      return patched;
    },
    quote,
  };
}

/**
 * Patches and decodes. `makeDocument` returns a fresh tree of the codec's kind, with its resourceVersion, kind and apiVersion; what
 * does not decode is a 422 that quotes the patched tree. `strictErrors` are those of patch and object together: warnings, or (under
 * fieldValidation=Strict) the complaint that `strictError` makes of them.
 */
export function applyPatch<T extends object>(
  patch: PreparedPatch,
  makeDocument: () => JsonObject,
  codec: ObjectCodec<T>,
): Decoded<T> & { strictError(): StatusError } {
  // Decoding changes the tree, but a complaint quotes it as it was.
  const quoted = (): string => patch.quote(patch.apply(makeDocument()));
  let decoded: Decoded<T>;
  try {
    decoded = codec.decode({ value: patch.apply(makeDocument()) }, { patched: patch.type === 'strategic' });
  } catch (e) {
    if (e instanceof DecodeError) throw patchInvalid(quoted(), e.message);
    throw e;
  }
  const strictErrors = [...patch.strictErrors, ...decoded.strictErrors];
  return { object: decoded.object, strictErrors, strictError: () => patchInvalid(quoted(), strictDecodingError(strictErrors)) };
}

const patchInvalid = (quoted: string, message: string): StatusError =>
  invalid({ group: '', kind: '' }, '', [
    { reason: 'FieldValueInvalid', field: 'patch', body: `Invalid value: ${JSON.stringify(quoted)}: ${message}` },
  ]);
