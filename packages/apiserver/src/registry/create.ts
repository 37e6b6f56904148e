import { alreadyExists, type KubeObject, StatusError } from '@skiff/apimachinery';
import type { StoredEntry } from '../storage/stored-entry.ts';
import { pendingEntry, putEntry } from './entry-writes.ts';
import { guardFor } from './leader-guard.ts';
import { recordUpdate } from './managed-fields.ts';
import { dedupOwnerReferences, ensureNamespace, fillSystemFields, generateName, metadataOf } from './object-metadata.ts';
import { readStoredEntry } from './reads.ts';
import { keyOf } from './stored-resource.ts';
import { prepareEntries, storable } from './webhook-conversion.ts';
import { admissionRequest, mutate, prepareCreate, subjectOf, ttlOf, type WriteContext } from './write-context.ts';

/** With eight tries a million names per prefix fit before one in a thousand creations fails. */
const maxNameAttempts = 8;

/** Stores a new object. `object` is decoded and defaulted, its namespace checked, its system fields wiped. Throws AlreadyExists, Invalid, …. */
export async function createObject(w: WriteContext, object: KubeObject): Promise<StoredEntry> {
  const meta = metadataOf(object);
  dedupOwnerReferences(meta, w.warnings, false);
  recordUpdate(w, undefined, object);
  const mutated = await mutate(w, 'CREATE', { name: meta.name ?? '', object, old: undefined });
  dedupOwnerReferences(metadataOf(mutated), w.warnings, true);
  return await storeNew(w, mutated);
}

/** The part of a creation behind mutating admission; also that of an update or apply which creates. */
export async function storeNew(w: WriteContext, object: KubeObject): Promise<StoredEntry> {
  const given = metadataOf(object);
  const generates = !given.name && Boolean(given.generateName);
  for (let attempt = 1; ; attempt++) {
    const draft = generates ? structuredClone(object) : object;
    const meta = metadataOf(draft);
    fillSystemFields(meta, w.now);
    if (generates) meta.name = generateName(meta.generateName ?? '');
    const entry = await storeOnce(w, draft);
    if (entry !== undefined) return entry;
    if (generates && attempt < maxNameAttempts) continue;
    throw await existsError(w, meta.name ?? '', Boolean(meta.generateName));
  }
}

/** undefined: there is an object of that name. */
async function storeOnce(w: WriteContext, draft: KubeObject): Promise<StoredEntry | undefined> {
  const { resource } = w;
  const meta = metadataOf(draft);
  ensureNamespace(meta, resource.definition, w.namespace);
  const finish = await w.hooks?.beforeCreate?.(draft, { dryRun: w.dryRun });
  let stored: StoredEntry | undefined;
  try {
    await prepareCreate(w, draft, meta);
    await w.admission?.validate(admissionRequest(w, 'CREATE', { name: meta.name ?? '', object: draft, old: undefined }), w.lifetime);
    if (meta.resourceVersion) throw new StatusError('', 'resourceVersion should not be set on objects to be created');
    const key = keyOf(resource, w.namespace, meta.name ?? '');
    const encoded = await storable(resource, resource.codec.encode(draft));
    if (w.dryRun) {
      const existing = await readStoredEntry(resource.stored, key);
      return existing === undefined ? pendingEntry(resource, key, encoded, 0) : undefined;
    }
    for (;;) {
      const attempt = await putEntry(resource, key, encoded, { expected: 0, ...ttlOf(w), ...(await guardFor(resource, w.guard)) });
      if (attempt.committed) stored = attempt.entry;
      if (attempt.committed || attempt.current !== undefined) return stored;
      w.guard?.lost();
    }
  } finally {
    await finish?.(stored !== undefined);
  }
}

async function existsError(w: WriteContext, name: string, generated: boolean): Promise<StatusError> {
  const { resource } = w;
  const existing = await readStoredEntry(resource.stored, keyOf(resource, w.namespace, name));
  const plain = alreadyExists(subjectOf(w), name);
  const base = generated
    ? new StatusError('AlreadyExists', `${plain.message}, the server was not able to generate a unique name for the object`, {
        details: { ...plain.details, retryAfterSeconds: 1 },
      })
    : plain;
  await prepareEntries(resource, [existing]);
  if (existing === undefined || !isBeingDeleted(w, existing)) return base;
  return new StatusError(
    'AlreadyExists',
    `object is being deleted: ${base.message}`,
    base.details === undefined ? {} : { details: base.details },
  );
}

const isBeingDeleted = (w: WriteContext, entry: StoredEntry): boolean =>
  w.resource.codec.parse(w.resource.view.formOf(entry)).metadata?.deletionTimestamp !== undefined;
