import {
  applyPatch,
  badRequest,
  type JsonObject,
  type KubeObject,
  notFound,
  parseYaml,
  patchContentTypes,
  type ParsedJson,
  type PreparedPatch,
  preparePatch,
  YamlError,
} from '@skiff/apimachinery';
import type { ApiRequest, ApiResponse } from '../contract.ts';
import { recordUpdate } from './managed-fields.ts';
import { checkName, ensureNamespace, metadataOf } from './object-metadata.ts';
import { presentEntry } from './read-endpoints.ts';
import { isCustom } from './render.ts';
import { unsupportedMediaType } from './request-body.ts';
import { managerOf, parseWriteOptions, type WriteOptions } from './request-options.ts';
import { toApiError } from './store-errors.ts';
import { type CurrentObject, updateObject } from './update.ts';
import { subjectOf, warn, type WriteContext } from './write-context.ts';
import { admissionOptions, type WriteDeps, writeContext, type WriteTarget } from './write-endpoints.ts';

/** A patch is read once and applied to every state that the guaranteed update shows it. */
type PatchMechanism = (w: WriteContext, current: CurrentObject | undefined) => KubeObject;

/** PATCH in all its forms. */
export async function handlePatch(t: WriteTarget, deps: WriteDeps, r: ApiRequest): Promise<ApiResponse> {
  const { definition } = t.resource;
  const accepted = Object.entries(patchContentTypes).filter(([, type]) => !(type === 'strategic' && isCustom(definition)));
  const type = accepted.find(([contentType]) => contentType === r.contentType)?.[1];
  if (type === undefined) throw unsupportedMediaType(accepted.map(([contentType]) => contentType));
  const options = parseWriteOptions(r.query, 'PatchOptions', type === 'apply');
  const mechanism =
    type === 'apply'
      ? applyMechanism(t, r, options)
      : patchMechanism(t, r, () => preparePatch(type, r.body, t.resource.codec.structure), options);
  const { dryRun } = options;
  const w = writeContext(t, deps, r, {
    manager: managerOf(options, r.userAgent),
    dryRun,
    // Admission knows no patches: a patch updates, or creates.
    options: admissionOptions('UpdateOptions', options),
  });
  try {
    const { entry, created } = await updateObject(w, {
      name: r.info.name,
      produce: (current) => {
        const object = mechanism(w, current);
        const meta = metadataOf(object);
        ensureNamespace(meta, definition, r.info.namespace);
        checkName(meta, r.info.name, w.namespace);
        return object;
      },
      forceAllowCreate: type === 'apply' && t.subresource === '',
      authorizeCreate: () => deps.authorizeCreate(r),
    });
    return await presentEntry(t.resource, entry, r, created ? 201 : 200, w.nowMs);
  } catch (error) {
    throw toApiError(error, subjectOf(w), 'patch');
  }
}

/** The body is read when there is something to patch: what is not there is not found, whatever the patch. */
function patchMechanism(t: WriteTarget, r: ApiRequest, prepare: () => PreparedPatch, options: WriteOptions): PatchMechanism {
  const { codec } = t.resource;
  let patch: PreparedPatch | undefined;
  return (w, current) => {
    if (current === undefined) throw notFound(subjectOf(w), r.info.name);
    patch ??= prepare();
    const patched = applyPatch(patch, () => current.draft() as JsonObject, codec.structure);
    if (patched.strictErrors.length > 0) {
      if (options.fieldValidation === 'Strict') throw patched.strictError();
      if (options.fieldValidation === 'Warn') warn(w, patched.strictErrors);
    }
    const { object } = patched;
    codec.finish(object);
    recordUpdate(w, current.object, object);
    return object;
  };
}

/** Server-side apply: the body is the applier's part of the object, in YAML or JSON. Creates what is not there. */
function applyMechanism(t: WriteTarget, r: ApiRequest, options: WriteOptions): PatchMechanism {
  const { codec } = t.resource;
  const parsed = parseConfiguration(r.body);
  const configuration = parsed.value as JsonObject;
  const duplicates =
    parsed.yamlError ?? (parsed.keys?.duplicates ?? []).map((d) => `key ${JSON.stringify(d.path)} already set in map`).join(', ');
  return (w, current) => {
    if (current === undefined && t.subresource !== '') throw notFound(subjectOf(w), r.info.name);
    const applied = t.fields.apply(current?.object, configuration, {
      manager: options.fieldManager,
      force: options.force ?? false,
      now: w.now,
    });
    if (duplicates !== '') {
      if (options.fieldValidation === 'Strict') throw badRequest(`error strict decoding YAML: ${duplicates}`);
      if (options.fieldValidation === 'Warn') warn(w, [duplicates]);
    }
    // The merged tree shares parts with the live object, and decoding changes what it reads.
    const { object } = codec.decode({ value: structuredClone(applied.tree) });
    if (applied.managedFields !== undefined) metadataOf(object).managedFields = applied.managedFields;
    return object;
  };
}

/** The body of a server-side apply: an object in YAML or JSON. Throws BadRequest. */
export function parseConfiguration(body: Buffer): ParsedJson {
  let parsed: ParsedJson;
  try {
    parsed = parseYaml(body);
  } catch (error) {
    if (error instanceof YamlError) throw badRequest(`error decoding YAML: ${error.message}`);
    throw error;
  }
  const { value } = parsed;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return parsed;
  throw badRequest(
    'error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal into Go value of type map[string]interface {}',
  );
}
