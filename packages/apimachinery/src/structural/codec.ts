import { mergeTypeOf } from '../apply/field-manager.ts';
import type { MergeMap } from '../apply/merge-type.ts';
import { DecodeError, type EncodedObject, type ObjectCodec } from '../codec.ts';
import { createDecoderFactory, type StructDecoder } from '../decode.ts';
import { newDecodeContext } from '../decode-context.ts';
import type { FieldErrors } from '../field-error.ts';
import { jsonText, quoteJson, sortedKeys } from '../json-text.ts';
import { isDNS1035Label, isPathSegmentName } from '../name-validation.ts';
import type { DeepReadonly, Json, JsonObject, KubeObject, ObjectMeta } from '../object.ts';
import { validateObjectMeta } from '../object-meta-validation.ts';
import type { SchemaRegistry } from '../schema.ts';
import { validateListTypes } from './list-types.ts';
import { structuralMergeType } from './merge-type.ts';
import { applyStructuralDefaults, pruneNulls, pruneUnknown } from './prune.ts';
import { additionalSchema, propertyOf, type StructuralSchema } from './schema.ts';
import { validateAgainstSchema } from './validate.ts';

const objectMetaName = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object of a custom kind: what the schema says is checked by `validate`, not by the decoder. */
export type CustomObject = KubeObject & JsonObject;

/** The codec of a custom kind in one version. */
export interface StructuralCodec extends ObjectCodec<CustomObject> {
  readonly mergeType: MergeMap;
  /**
   * 422s of the schema: types, formats, limits, enums, required fields, uniqueness in lists, embedded resources. With `old`, what
   * did not change is not judged again. Rules in CEL (`x-kubernetes-validations`) are not part of this.
   */
  validate(object: DeepReadonly<CustomObject>, errors: FieldErrors, old?: DeepReadonly<CustomObject>): void;
  /** The same for a write to the status subresource: only `status` is judged. */
  validateStatus(object: DeepReadonly<CustomObject>, errors: FieldErrors, old?: DeepReadonly<CustomObject>): void;
}

/**
 * `schema`: the version's `openAPIV3Schema`; `registry`: the built-in types, for metadata. `preserveUnknownFields`: the CRD's field of
 * that name, for objects that are stored as they come.
 */
export function createStructuralCodec(
  registry: SchemaRegistry,
  schema: StructuralSchema,
  o: { readonly preserveUnknownFields?: boolean } = {},
): StructuralCodec {
  const meta = createDecoderFactory(registry)(objectMetaName);
  const root: StructuralSchema = o.preserveUnknownFields === true ? { ...schema, 'x-kubernetes-preserve-unknown-fields': true } : schema;
  const mergeType = structuralMergeType(root, mergeTypeOf(registry, objectMetaName));
  const hasEmbedded = findEmbedded(schema);

  return {
    schemaName: '',
    registry,
    mergeType,
    decode(parsed) {
      if (!isObject(parsed.value))
        throw new DecodeError(
          `json: cannot unmarshal ${Array.isArray(parsed.value) ? 'array' : typeof parsed.value} into Go value of type map[string]interface {}`,
        );
      const object = parsed.value;
      const strictErrors = new Set((parsed.keys?.duplicates ?? []).map((d) => `duplicate field ${JSON.stringify(d.path)}`));
      if (parsed.yamlError !== undefined) strictErrors.add(parsed.yamlError);
      const unknown = decodeMetadata(meta, object, '');
      unknown.push(...pruneUnknown(object, root));
      pruneNulls(object, root);
      if (hasEmbedded) unknown.push(...coerceEmbedded(meta, object, root, ''));
      for (const path of unknown) strictErrors.add(`unknown field ${JSON.stringify(path)}`);
      return { object: object as CustomObject, strictErrors: [...strictErrors] };
    },
    applyDefaults: (draft) => applyStructuralDefaults(draft, root),
    encode: (object) => encodeSorted(object as JsonObject),
    encodeResponse: (object) => jsonText(object as JsonObject, true),
    validate(object, errors, old) {
      const tree = object as JsonObject;
      validateAgainstSchema(schema, tree, errors, { old: old as JsonObject | undefined });
      validateListTypes(schema, tree, '', errors);
      if (hasEmbedded) validateEmbedded(meta, tree, schema, { path: '', errors });
    },
    validateStatus(object, errors, old) {
      const status = propertyOf(schema, 'status');
      const value = (object as JsonObject)['status'];
      if (status === undefined || value === undefined) return;
      validateAgainstSchema(status, value, errors, { field: 'status', old: (old as JsonObject | undefined)?.['status'] });
      validateListTypes(status, value, 'status', errors);
    },
  };
}

/** Metadata of custom objects is typed like everybody's. Returns the unknown fields that were dropped; throws DecodeError. */
function decodeMetadata(meta: StructDecoder, object: JsonObject, path: string): string[] {
  const metadata = object['metadata'];
  if (metadata === undefined) return [];
  if (!isObject(metadata)) {
    if (metadata === null) object['metadata'] = {};
    else
      throw new DecodeError(
        `json: cannot unmarshal ${Array.isArray(metadata) ? 'array' : typeof metadata} into Go value of type v1.ObjectMeta`,
      );
    return [];
  }
  const c = newDecodeContext(false);
  object['metadata'] = meta.decode(metadata, c);
  if (c.firstError !== undefined) throw c.firstError;
  const prefix = path === '' ? 'metadata' : `${path}.metadata`;
  return c.unknown.map((u) => `${prefix}.${u}`);
}

function findEmbedded(s: StructuralSchema): boolean {
  if (s['x-kubernetes-embedded-resource'] === true) return true;
  const below = [...Object.values(s.properties ?? {}), s.items, additionalSchema(s)];
  return below.some((b) => b !== undefined && findEmbedded(b));
}

type Visit = (value: JsonObject, path: string) => void;
function visitEmbedded(value: Json, s: StructuralSchema, path: string, visit: Visit): void {
  if (isObject(value)) {
    if (s['x-kubernetes-embedded-resource'] === true) visit(value, path);
    for (const key of Object.keys(value)) {
      const below = propertyOf(s, key) ?? additionalSchema(s);
      if (below !== undefined) visitEmbedded(value[key]!, below, path === '' ? key : `${path}.${key}`, visit);
    }
  } else if (Array.isArray(value) && s.items !== undefined)
    value.forEach((item, i) => visitEmbedded(item, s.items!, `${path}[${i}]`, visit));
}

function coerceEmbedded(meta: StructDecoder, object: JsonObject, s: StructuralSchema, path: string): string[] {
  const unknown: string[] = [];
  visitEmbedded(object, s, path, (value, at) => {
    for (const name of ['apiVersion', 'kind']) {
      if (value[name] !== undefined && typeof value[name] !== 'string')
        throw new DecodeError(`${at}.${name}: Invalid value: ${jsonText(value[name], true)}: must be a string`);
    }
    const before = structuredClone(value['metadata']);
    try {
      unknown.push(...decodeMetadata(meta, value, at));
    } catch (e) {
      if (!(e instanceof DecodeError)) throw e;
      throw new DecodeError(`${at}.metadata: Invalid value: ${jsonText(before, true)}: ${e.message}`);
    }
  });
  return unknown;
}

function validateEmbedded(
  meta: StructDecoder,
  object: JsonObject,
  s: StructuralSchema,
  o: { readonly path: string; readonly errors: FieldErrors },
): void {
  const { errors } = o;
  visitEmbedded(object, s, o.path, (value, at) => {
    const { apiVersion, kind } = value;
    if (apiVersion === undefined) errors.required(`${at}.apiVersion`);
    if (kind === undefined) errors.required(`${at}.kind`);
    if (kind === '') errors.invalid(`${at}.kind`, kind, 'must not be empty');
    else if (typeof kind === 'string') {
      const bad = isDNS1035Label(kind.toLowerCase());
      if (bad.length > 0) errors.invalid(`${at}.kind`, kind, `may have mixed case, but should otherwise match: ${bad.join(',')}`);
    }
    if (apiVersion === '') errors.invalid(`${at}.apiVersion`, apiVersion, 'must not be empty');
    else if (typeof apiVersion === 'string' && apiVersion.split('/').length > 2) {
      errors.invalid(`${at}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
    }
    if (!isObject(value['metadata'])) return;
    const metadata = meta.decode(structuredClone(value['metadata']), newDecodeContext(false)) as ObjectMeta;
    const named: ObjectMeta = { ...metadata, name: metadata.name || 'fakename' };
    validateObjectMeta(
      named,
      { scope: metadata.namespace ? 'Namespaced' : 'Cluster', validateName: isPathSegmentName },
      errors,
      `${at}.metadata`,
    );
  });
}

/** Custom objects are written with sorted keys all through, and keep kind and apiVersion as list items. */
function encodeSorted(object: JsonObject): EncodedObject {
  const before: string[] = [];
  const after: string[] = [];
  for (const key of sortedKeys(object)) {
    if (key === 'metadata' || object[key] === undefined) continue;
    (key < 'metadata' ? before : after).push(`${quoteJson(key)}:${jsonText(object[key], true)}`);
  }
  const metadata = (object['metadata'] ?? {}) as JsonObject;
  const metaBefore: string[] = [];
  const metaAfter: string[] = [];
  for (const key of sortedKeys(metadata)) {
    if (key === 'resourceVersion' || metadata[key] === undefined) continue;
    (key < 'resourceVersion' ? metaBefore : metaAfter).push(`${quoteJson(key)}:${jsonText(metadata[key], true)}`);
  }
  const head = `{${before.map((t) => `${t},`).join('')}`;
  const metaHead = `"metadata":{${metaBefore.join(',')}`;
  const metaTail = `${metaBefore.length > 0 && metaAfter.length > 0 ? ',' : ''}${metaAfter.join(',')}}`;
  const bytes = Buffer.from(`${head}${metaHead}${metaTail}${after.map((t) => `,${t}`).join('')}}`, 'utf8');
  const metadataStart = Buffer.byteLength(head);
  const resourceVersionAt = metadataStart + Buffer.byteLength(metaHead);
  return { bytes, typeMetaEnd: 1, metadataStart, resourceVersionAt, metadataEnd: resourceVersionAt + Buffer.byteLength(metaTail) };
}
