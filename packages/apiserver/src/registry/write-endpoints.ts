import {
  cannotBeHandled,
  type FieldManager,
  formatGroupVersion,
  type JsonObject,
  type KubeObject,
  type ResourceStrategy,
  strictDecodingError,
} from '@skiff/apimachinery';
import { type Clock, formatTime } from '@skiff/component-base';
import type { AdmissionChain, ApiRequest, ApiResponse } from '../contract.ts';
import { createObject } from './create.ts';
import { type DeleteOptions, parseDeleteOptions } from './delete-options.ts';
import { deleteObject } from './delete.ts';
import { checkBodyKind, type KindLookup } from './body-kind.ts';
import { recordUpdate } from './managed-fields.ts';
import type { LeaderGuard } from './leader-guard.ts';
import { checkName, dedupOwnerReferences, ensureNamespace, metadataOf, wipeSystemFields } from './object-metadata.ts';
import { presentValue } from './present.ts';
import { listPage, presentEntry, presentList } from './read-endpoints.ts';
import { parseRequestBody, unrecognizedBody } from './request-body.ts';
import { type FieldValidation, managerOf, parseListOptions, parseWriteOptions, type WriteOptions } from './request-options.ts';
import type { ResourceHooks } from './resource-hooks.ts';
import { parseSelection } from './selection.ts';
import { toApiError } from './store-errors.ts';
import type { ServedResource } from './stored-resource.ts';
import { updateObject } from './update.ts';
import { subjectOf, type WriteContext } from './write-context.ts';

/** What writes need beside the resource. */
export interface WriteDeps {
  readonly clock: Clock;
  readonly admission: AdmissionChain;
  authorizeCreate(r: ApiRequest): Promise<void>;
  leaderGuard(claim: string): LeaderGuard;
  readonly kinds: KindLookup;
}

/** One writable endpoint: a resource, or a subresource whose body is the parent. */
export interface WriteTarget {
  readonly resource: ServedResource;
  readonly subresource: string;
  readonly strategy: ResourceStrategy<KubeObject>;
  /** Tracks the fields that this endpoint may change. */
  readonly fields: FieldManager;
  readonly hooks: ResourceHooks | undefined;
}

export function writeContext(
  t: WriteTarget,
  deps: WriteDeps,
  r: ApiRequest,
  o: { manager?: string; dryRun: boolean; options: JsonObject },
): WriteContext {
  const nowMs = deps.clock.now();
  // Written out: a spread of the target would cost more than all the rest.
  return {
    resource: t.resource,
    subresource: t.subresource,
    strategy: t.strategy,
    fields: t.fields,
    hooks: t.hooks,
    namespace: t.resource.definition.scope === 'Namespaced' ? r.info.namespace : '',
    user: r.user,
    manager: o.manager,
    dryRun: o.dryRun,
    warnings: r.warnings,
    audit: r.audit,
    options: o.options,
    admission: deps.admission,
    guard: r.leader === undefined ? undefined : deps.leaderGuard(r.leader),
    lifetime: r,
    nowMs,
    now: currentSecond(nowMs),
    memo: new Map(),
  };
}

let lastSecond = { at: 0, text: '' };
/** `formatTime`, remembered while the second lasts. */
function currentSecond(nowMs: number): string {
  const at = Math.floor(nowMs / 1000);
  if (lastSecond.at !== at) lastSecond = { at, text: formatTime(nowMs) };
  return lastSecond.text;
}

export const admissionOptions = (kind: string, o: WriteOptions): JsonObject => ({
  kind,
  apiVersion: 'meta.k8s.io/v1',
  ...(o.dryRun ? { dryRun: ['All'] } : {}),
  ...(o.fieldManager === '' ? {} : { fieldManager: o.fieldManager }),
  ...(o.givenFieldValidation === undefined ? {} : { fieldValidation: o.givenFieldValidation }),
});

/** Decodes a body that is an object of the resource's kind. Throws BadRequest; notes strict errors as validation wants. */
export function decodeObject(t: WriteTarget, deps: WriteDeps, r: ApiRequest, validation: FieldValidation): KubeObject {
  const { definition, codec } = t.resource;
  const parsed = parseRequestBody(r, unrecognizedBody(r.body, definition.kind));
  checkBodyKind(parsed.value, definition, deps.kinds);
  const { object, strictErrors } = codec.decode(parsed);
  if (strictErrors.length > 0 && validation === 'Strict') throw cannotBeHandled(definition, strictDecodingError(strictErrors));
  if (validation === 'Warn') r.warnings.push(...strictErrors);
  r.audit?.requestObject(object, () => codec.encode(object).form.bytes.toString('utf8'));
  return object;
}

export async function handleCreate(t: WriteTarget, deps: WriteDeps, r: ApiRequest): Promise<ApiResponse> {
  const options = parseWriteOptions(r.query, 'CreateOptions');
  const w = writeContext(t, deps, r, {
    manager: managerOf(options, r.userAgent),
    dryRun: options.dryRun,
    options: admissionOptions('CreateOptions', options),
  });
  const object = decodeObject(t, deps, r, options.fieldValidation);
  const meta = metadataOf(object);
  wipeSystemFields(meta);
  ensureNamespace(meta, t.resource.definition, r.info.namespace);
  try {
    return await presentEntry(t.resource, await createObject(w, object), r, 201, w.nowMs);
  } catch (error) {
    throw toApiError(error, subjectOf(w), 'create');
  }
}

export async function handleUpdate(t: WriteTarget, deps: WriteDeps, r: ApiRequest): Promise<ApiResponse> {
  const options = parseWriteOptions(r.query, 'UpdateOptions');
  const w = writeContext(t, deps, r, {
    manager: managerOf(options, r.userAgent),
    dryRun: options.dryRun,
    options: admissionOptions('UpdateOptions', options),
  });
  const body = decodeObject(t, deps, r, options.fieldValidation);
  const meta = metadataOf(body);
  ensureNamespace(meta, t.resource.definition, r.info.namespace);
  checkName(meta, r.info.name, t.resource.definition.scope === 'Namespaced' ? r.info.namespace : '');
  dedupOwnerReferences(meta, w.warnings, false);
  try {
    const { entry, created } = await updateObject(w, {
      name: r.info.name,
      ...(meta.uid ? { preconditions: { uid: meta.uid } } : {}),
      produce: (current) => {
        const object = structuredClone(body);
        recordUpdate(w, current?.object, object);
        return object;
      },
      authorizeCreate: () => deps.authorizeCreate(r),
    });
    return await presentEntry(t.resource, entry, r, created ? 201 : 200, w.nowMs);
  } catch (error) {
    throw toApiError(error, subjectOf(w), 'update');
  }
}

const deleteOptionsJson = (o: DeleteOptions): JsonObject => ({
  kind: 'DeleteOptions',
  apiVersion: 'meta.k8s.io/v1',
  ...(o.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: o.gracePeriodSeconds }),
  ...(Object.keys(o.preconditions).length === 0 ? {} : { preconditions: { ...o.preconditions } }),
  ...(o.orphanDependents === undefined ? {} : { orphanDependents: o.orphanDependents }),
  ...(o.propagationPolicy === undefined ? {} : { propagationPolicy: o.propagationPolicy }),
  ...(o.dryRun ? { dryRun: ['All'] } : {}),
});

export async function handleDelete(t: WriteTarget, deps: WriteDeps, r: ApiRequest): Promise<ApiResponse> {
  const options = parseDeleteOptions(r);
  const w = writeContext(t, deps, r, { dryRun: options.dryRun, options: deleteOptionsJson(options) });
  const { definition } = t.resource;
  r.warnings.push(...(t.hooks?.deletionWarnings?.(options) ?? []));
  try {
    const { deleted, entry } = await deleteObject(w, r.info.name, options);
    // Upstream says "accepted" only to those who asked for cascading in the old way.
    const code = !deleted && options.orphanDependents === false ? 202 : 200;
    if (definition.returnsDeletedObject === true || !deleted) return await presentEntry(t.resource, entry, r, code, w.nowMs);
    const uid = t.resource.codec.parse(t.resource.view.formOf(entry)).metadata?.uid;
    const details = {
      name: r.info.name,
      ...(definition.group === '' ? {} : { group: definition.group }),
      kind: definition.plural,
      ...(uid === undefined ? {} : { uid }),
    };
    return presentValue(code, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }, r.output);
  } catch (error) {
    throw toApiError(error, subjectOf(w), 'delete');
  }
}

export async function handleDeleteCollection(t: WriteTarget, deps: WriteDeps, r: ApiRequest): Promise<ApiResponse> {
  const { definition } = t.resource;
  const listOptions = parseListOptions(r.query, 'list');
  const selection = parseSelection(definition, { namespace: r.info.namespace, ...listOptions });
  const options = parseDeleteOptions(r);
  const w = writeContext(t, deps, r, { dryRun: options.dryRun, options: deleteOptionsJson(options) });
  try {
    const page = await listPage(t.resource, selection, listOptions);
    for (const entry of page.entries) {
      if (r.signal.aborted) break;
      try {
        // Each object has its own admission memory, and a deletion that someone else finished is fine.
        await deleteObject({ ...w, namespace: entry.namespace, memo: new Map(), nameless: true }, entry.name, options);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    return await presentList(t.resource, page, r, w.nowMs);
  } catch (error) {
    throw toApiError(error, subjectOf(w), 'delete');
  }
}

const isNotFound = (error: unknown): boolean => (error as { reason?: string }).reason === 'NotFound';

export const storedButNotEnforced = (t: WriteTarget): string => {
  const { group, version, kind } = t.resource.definition;
  return `${formatGroupVersion(group, version)} ${kind} is stored but not yet enforced`;
};
