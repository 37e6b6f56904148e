import { conflict, type DeepReadonly, invalid, type KubeObject, type ManagedFieldsEntry, notFound, StatusError } from '@skiff/apimachinery';
import type { StoredEntry } from '../storage/stored-entry.ts';
import { storeNew } from './create.ts';
import { pendingEntry } from './entry-writes.ts';
import { type Change, guaranteedUpdate } from './guaranteed-update.ts';
import { dedupOwnerReferences, ensureNamespace, metadataOf } from './object-metadata.ts';
import type { HookFinish } from './resource-hooks.ts';
import { apiVersionOf } from './render.ts';
import { type EncodedObject, storedApiVersion } from './resource-codec.ts';
import { keyOf } from './stored-resource.ts';
import { admissionRequest, mutate, prepareUpdate, subjectOf, ttlOf, type WriteContext } from './write-context.ts';

export const objectModified = 'the object has been modified; please apply your changes to the latest version and try again';

/** The current object as an update's producer gets it. */
export interface CurrentObject {
  /** Read-only, with its resourceVersion. */
  readonly object: DeepReadonly<KubeObject>;
  /** A copy to change. */
  draft(): KubeObject;
}

export interface UpdateRequest {
  readonly name: string;
  /** The new object, managedFields included; `undefined` current = there is none. Runs again on a newer state. */
  produce(current: CurrentObject | undefined): KubeObject | Promise<KubeObject>;
  readonly preconditions?: { readonly uid?: string };
  /** Apply creates what is not there, whatever the kind says. */
  readonly forceAllowCreate?: boolean;
  /** Throws Forbidden when the user may not create. */
  authorizeCreate?(): Promise<void>;
}

export interface UpdateResult {
  readonly entry: StoredEntry;
  readonly created: boolean;
}

/** PUT and PATCH. Throws NotFound, Conflict, Invalid, …; nothing is written when nothing changes. */
export async function updateObject(w: WriteContext, o: UpdateRequest): Promise<UpdateResult> {
  const { resource } = w;
  const key = keyOf(resource, w.namespace, o.name);
  const mayCreate = o.forceAllowCreate === true || (w.strategy.allowCreateOnUpdate === true && w.subresource === '');
  const run: UpdateRun = { encoded: undefined, revision: 0, finish: undefined };
  try {
    const outcome = await guaranteedUpdate(resource, {
      key,
      dryRun: w.dryRun,
      guard: w.guard,
      lifetime: w.lifetime,
      change: async (entry) => {
        await settle(run, false);
        if (entry !== undefined) return await changeExisting(w, o, run, entry);
        if (!mayCreate) throw notFound(subjectOf(w), o.name);
        return { kind: 'done', entry: await createMissing(w, o) };
      },
    });
    if (outcome.kind === 'done' && outcome.entry !== undefined) return { entry: outcome.entry, created: true };
    await settle(run, outcome.kind === 'put' && !w.dryRun);
    if (outcome.kind === 'deleted' && !w.dryRun && outcome.entry !== undefined) {
      await w.hooks?.afterDelete?.(resource.codec.parse(resource.view.formOf(outcome.entry)), { dryRun: false });
    }
    return { entry: resultEntry(w, run, outcome.entry, outcome.kind === 'deleted'), created: false };
  } finally {
    await settle(run, false);
  }
}

interface UpdateRun {
  encoded: EncodedObject | undefined;
  /** Of the state that `encoded` was made from. */
  revision: number;
  finish: HookFinish | undefined;
}

async function settle(run: UpdateRun, committed: boolean): Promise<void> {
  const { finish } = run;
  run.finish = undefined;
  await finish?.(committed);
}

/** An update that empties the finalizers of a dying object deletes it, and still answers with what the client sent. */
function resultEntry(w: WriteContext, run: UpdateRun, entry: StoredEntry | undefined, deleted: boolean): StoredEntry {
  if (entry === undefined) throw new Error('a guaranteed update ended without an entry');
  if (!deleted || run.encoded === undefined) return entry;
  return pendingEntry(w.resource, entry.key, run.encoded, run.revision);
}

async function createMissing(w: WriteContext, o: UpdateRequest): Promise<StoredEntry> {
  const object = await o.produce(undefined);
  const meta = metadataOf(object);
  if (meta.uid) {
    throw conflict(subjectOf(w), o.name, `uid mismatch: the provided object specified uid ${meta.uid}, and no existing object was found`);
  }
  await o.authorizeCreate?.();
  const mutated = await mutate(w, 'CREATE', { name: o.name, object, old: undefined });
  dedupOwnerReferences(metadataOf(mutated), w.warnings, true);
  return await storeNew(w, mutated);
}

async function changeExisting(w: WriteContext, o: UpdateRequest, run: UpdateRun, entry: StoredEntry): Promise<Change> {
  const { resource } = w;
  const form = resource.view.formOf(entry);
  const revision = String(entry.revision);
  const draftOf = (): KubeObject => {
    const draft = resource.codec.parse(form);
    metadataOf(draft).resourceVersion = revision;
    return draft;
  };
  const old: DeepReadonly<KubeObject> = draftOf();
  const uid = o.preconditions?.uid;
  if (uid && uid !== old.metadata?.uid)
    throw conflict(subjectOf(w), o.name, uidPreconditionFailed(entry.key, uid, old.metadata?.uid ?? ''));

  const produced = await resource.conversions.settled(() => o.produce({ object: old, draft: draftOf }), resource.convert);
  const draft = await mutate(w, 'UPDATE', { name: o.name, object: produced, old });
  const meta = metadataOf(draft);
  dedupOwnerReferences(meta, w.warnings, true);
  checkResourceVersion(w, o.name, draft, revision);
  ensureNamespace(meta, resource.definition, w.namespace);
  run.finish = await w.hooks?.beforeUpdate?.(draft, old, { dryRun: w.dryRun });
  await prepareUpdate(w, draft, meta, old);
  await w.admission?.validate(admissionRequest(w, 'UPDATE', { name: o.name, object: draft, old }), w.lifetime);

  run.revision = entry.revision;
  run.encoded = encodeUnlessTimestampsOnly(w, draft, old, entry);
  if (isFinalized(w, draft, old)) return { kind: 'delete' };
  return { kind: 'put', encoded: run.encoded, ...ttlOf(w) };
}

export const uidPreconditionFailed = (key: string, wanted: string, is: string): string =>
  `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${is}`;

function checkResourceVersion(w: WriteContext, name: string, draft: KubeObject, current: string): void {
  const meta = metadataOf(draft);
  const given = meta.resourceVersion ?? '';
  if (given === '' || given === '0') {
    if (w.strategy.allowUnconditionalUpdate === false) {
      const error = {
        reason: 'FieldValueInvalid',
        field: 'metadata.resourceVersion',
        body: 'Invalid value: 0: must be specified for an update',
      } as const;
      throw invalid({ group: w.resource.definition.group, kind: w.resource.definition.plural }, name, [error]);
    }
    meta.resourceVersion = current;
    return;
  }
  if (!/^\d+$/.test(given)) throw new StatusError('', `strconv.ParseUint: parsing ${JSON.stringify(given)}: invalid syntax`);
  if (given !== current) throw conflict(subjectOf(w), name, objectModified);
}

/** Times in managedFields alone are no change: the old ones stay, and equal bytes are not written. */
function encodeUnlessTimestampsOnly(w: WriteContext, draft: KubeObject, old: DeepReadonly<KubeObject>, entry: StoredEntry): EncodedObject {
  const { codec } = w.resource;
  const encoded = codec.encode(draft);
  // What is stored is the webhook's, and compared when that is known.
  if (encoded.unconverted === true) return sameButTimestamps(w, draft, old, entry) ?? encoded;
  if (encoded.value.length !== entry.value.length || encoded.value.equals(entry.value)) return encoded;
  const managed = draft.metadata?.managedFields;
  if (managed === undefined || old.metadata?.managedFields === undefined) return encoded;
  const withOldTimes = codec.encode({
    ...draft,
    metadata: { ...draft.metadata, managedFields: old.metadata.managedFields as ManagedFieldsEntry[] },
  });
  return withOldTimes.value.equals(entry.value) ? withOldTimes : encoded;
}

/** For versions that a webhook converts: the state as it is, when times are all that changes in it and it is stored as it should be. */
function sameButTimestamps(
  w: WriteContext,
  draft: KubeObject,
  old: DeepReadonly<KubeObject>,
  entry: StoredEntry,
): EncodedObject | undefined {
  const { codec, view, definition } = w.resource;
  const storage = definition.custom?.storage;
  if (storage === undefined || storedApiVersion(entry.value) !== apiVersionOf(storage)) return undefined;
  const managedFields = old.metadata?.managedFields as ManagedFieldsEntry[] | undefined;
  const { managedFields: given, ...rest } = draft.metadata ?? {};
  const keepsTimes = given !== undefined && managedFields !== undefined;
  const { form } = codec.encode(keepsTimes ? { ...draft, metadata: { ...rest, managedFields } } : draft);
  return form.bytes.equals(view.formOf(entry).bytes) ? { value: entry.value, form } : undefined;
}

/** Nothing holds the object any more: its deletion was asked for, its grace period is over, and this update drops the last finalizer. */
function isFinalized(w: WriteContext, draft: KubeObject, old: DeepReadonly<KubeObject>): boolean {
  if ((draft.metadata?.finalizers ?? []).length > 0 || !old.metadata?.deletionTimestamp) return false;
  if ((old.metadata.deletionGracePeriodSeconds ?? 0) !== 0) return false;
  return w.hooks?.mayFinalize?.(draft) ?? true;
}
