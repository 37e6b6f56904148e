import jsonPatch, { type Operation } from 'fast-json-patch';
import {
  badRequest,
  DecodeError,
  invalid,
  isStatusError,
  type Json,
  type JsonObject,
  JsonSyntaxError,
  type KubeObject,
  notFound,
  type ParsedJson,
  parseJson,
  StatusError,
  strictDecodingError,
} from '@skiff/apimachinery';
import type { ApiRequest, ApiResponse } from '../contract.ts';
import { recordUpdate } from './managed-fields.ts';
import { checkName, ensureNamespace, metadataOf } from './object-metadata.ts';
import { presentEntry } from './read-endpoints.ts';
import { unsupportedMediaType } from './request-body.ts';
import { type FieldValidation, managerOf, parseWriteOptions, type WriteOptions } from './request-options.ts';
import { toApiError } from './store-errors.ts';
import { type CurrentObject, updateObject } from './update.ts';
import { subjectOf, warn, type WriteContext } from './write-context.ts';
import { admissionOptions, type WriteDeps, writeContext, type WriteTarget } from './write-endpoints.ts';

const maxJsonPatchOperations = 10_000;
const jsonPatchType = 'application/json-patch+json';
const mergePatchType = 'application/merge-patch+json';
const patchTypes = [jsonPatchType, mergePatchType] as const;

/** A patch is parsed once and applied to every state that the guaranteed update shows it. */
type PatchMechanism = (w: WriteContext, current: CurrentObject | undefined) => KubeObject;

/** PATCH in all its forms. */
export async function handlePatch(t: WriteTarget, deps: WriteDeps, r: ApiRequest): Promise<ApiResponse> {
  const options = parseWriteOptions(r.query, 'PatchOptions');
  const mechanism = createMechanism(t, r, options);
  const { dryRun } = options;
  const w = writeContext(t, deps, r, { manager: managerOf(options, r.userAgent), dryRun, options: admissionOptions('PatchOptions', options) });
  try {
    const { entry, created } = await updateObject(w, {
      name: r.info.name,
      produce: (current) => {
        const object = mechanism(w, current);
        const meta = metadataOf(object);
        ensureNamespace(meta, t.resource.definition, r.info.namespace);
        checkName(meta, r.info.name, w.namespace);
        return object;
      },
      authorizeCreate: () => deps.authorizeCreate(r),
    });
    return presentEntry(t.resource, entry, r, created ? 201 : 200, w.nowMs);
  } catch (error) {
    throw toApiError(error, subjectOf(w), 'patch');
  }
}

function createMechanism(t: WriteTarget, r: ApiRequest, options: WriteOptions): PatchMechanism {
  switch (r.contentType) {
    case jsonPatchType:
      return jsonPatch(t, r, options);
    case mergePatchType:
      return mergePatch(t, r, options);
    default:
      throw unsupportedMediaType(patchTypes);
  }
}

function parsePatch(body: Buffer): ParsedJson {
  try {
    return parseJson(body);
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw badRequest(`error decoding patch: ${error.message}`);
    throw error;
  }
}

/** `duplicate field "spec.x"` for keys that a patch has twice. */
const duplicateErrors = (parsed: ParsedJson, prefix = ''): string[] => [
  ...new Set((parsed.keys?.duplicates ?? []).map((d) => `${prefix}duplicate field ${JSON.stringify(d.path)}`)),
];

function requireCurrent(w: WriteContext, current: CurrentObject | undefined, name: string): CurrentObject {
  if (current === undefined) throw notFound(subjectOf(w), name);
  return current;
}

function jsonPatch(t: WriteTarget, r: ApiRequest, options: WriteOptions): PatchMechanism {
  const parsed = parsePatch(r.body);
  const operations = parsed.value;
  if (!Array.isArray(operations)) throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp');
  if (operations.length > maxJsonPatchOperations) {
    const message = `The allowed maximum operations in a JSON patch is ${maxJsonPatchOperations}, got ${operations.length}`;
    throw new StatusError('RequestEntityTooLarge', message);
  }
  const strict = duplicateErrors(parsed, 'json patch ');
  return (w, given) => {
    const current = requireCurrent(w, given, r.info.name);
    const tree = current.draft() as JsonObject;
    let patched: unknown;
    try {
      patched = jsonPatch.applyPatch(tree, resolveNegativeIndices(tree, operations as unknown as Operation[]), true, true, true).newDocument;
    } catch (error) {
      throw new StatusError('Invalid', `the server rejected our request due to an error in our request`, { details: {}, cause: error });
    }
    return decodePatched(t, w, { tree: patched as JsonObject, strict, validation: options.fieldValidation, current });
  };
}

/** JSON merge patch (RFC 7396). */
function mergePatch(t: WriteTarget, r: ApiRequest, options: WriteOptions): PatchMechanism {
  const parsed = parsePatch(r.body);
  const patch = parsed.value;
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) throw badRequest('error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}');
  const strict = duplicateErrors(parsed);
  return (w, given) => {
    const current = requireCurrent(w, given, r.info.name);
    const tree = mergeInto(current.draft() as JsonObject, patch) as JsonObject;
    return decodePatched(t, w, { tree, strict, validation: options.fieldValidation, current });
  };
}

/** The patch stays as it is: what it brings is copied, since the decoder changes its input. */
export function mergeInto(target: Json | undefined, patch: Json): Json {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return structuredClone(patch);
  const out: JsonObject = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else if (value !== undefined) out[key] = mergeInto(out[key], value);
  }
  return out;
}

/** `-1` is the last element to upstream's JSON patch library; RFC 6902 has no such thing. */
function resolveNegativeIndices(document: JsonObject, operations: Operation[]): Operation[] {
  if (!operations.some((o) => /\/-\d+(\/|$)/.test(o.path))) return operations;
  const resolve = (path: string): string => {
    let at: Json | undefined = document;
    return path
      .split('/')
      .map((part, i) => {
        if (i === 0) return part;
        let key = part;
        if (Array.isArray(at) && /^-\d+$/.test(part)) key = String(at.length + Number(part));
        at = Array.isArray(at) ? at[Number(key)] : typeof at === 'object' && at !== null ? at[key.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined;
        return key;
      })
      .join('/');
  };
  return operations.map((o) => ({ ...o, path: resolve(o.path) }));
}

interface Patched {
  readonly tree: JsonObject;
  readonly strict: readonly string[];
  readonly validation: FieldValidation;
  readonly current: CurrentObject;
}

function decodePatched(t: WriteTarget, w: WriteContext, p: Patched): KubeObject {
  const patchInvalid = (why: string): StatusError =>
    invalid({ group: '', kind: '' }, '', [{ reason: 'FieldValueInvalid', field: 'patch', body: `Invalid value: ${JSON.stringify(JSON.stringify(p.tree))}: ${why}` }]);
  let decoded: ReturnType<typeof t.resource.codec.decode>;
  try {
    decoded = t.resource.codec.decode({ value: p.tree });
  } catch (error) {
    if (error instanceof DecodeError || isStatusError(error)) throw patchInvalid(error.message);
    throw error;
  }
  const strict = [...p.strict, ...decoded.strictErrors];
  if (strict.length > 0) {
    if (p.validation === 'Strict') throw patchInvalid(strictDecodingError(strict));
    if (p.validation === 'Warn') warn(w, strict);
  }
  recordUpdate(w, p.current.object, decoded.object);
  return decoded.object;
}
