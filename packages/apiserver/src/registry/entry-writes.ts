import { type Entry, type Guard, UnknownOutcomeError } from '@skiff/storage';
import type { StoredEntry } from '../storage/stored-entry.ts';
import type { ServedResource } from './stored-resource.ts';
import type { StorableObject } from './webhook-conversion.ts';

/** A compare-and-set on one key: `entry` is what was written or, on deletion, what was deleted (at the deletion's revision). */
export type EntryWrite =
  | { readonly committed: true; readonly entry: StoredEntry }
  | { readonly committed: false; readonly current: StoredEntry | undefined };

/** An entry that the log has not brought yet (or, on dry run, never will). */
export function pendingEntry(resource: ServedResource, key: string, encoded: StorableObject, revision: number): StoredEntry {
  const entry = resource.stored.cache.toStored({ key, value: encoded.value, revision });
  if (encoded.form !== undefined) entry.forms[resource.view.slot] = encoded.form;
  return entry;
}

/**
 * Puts and tells the cache what comes. A put whose answer was lost has happened if the value is there: values carry the uid, and
 * managedFields their time.
 */
export async function putEntry(
  resource: ServedResource,
  key: string,
  encoded: StorableObject,
  o: { expected: number; ttlSeconds?: number; guard?: Guard },
): Promise<EntryWrite> {
  const { cache, follower } = resource.stored;
  const expectation = cache.expect(key, encoded.value, resource.view.slot, encoded.form);
  const committed = (revision: number): EntryWrite => {
    const entry = pendingEntry(resource, key, encoded, revision);
    expectation.committed(entry);
    return { committed: true, entry };
  };
  try {
    const result = await follower.store.put(key, encoded.value, o);
    if (result.outcome === 'committed') return committed(result.revision);
    expectation.lost();
    return { committed: false, current: toCached(resource, result.current) };
  } catch (error) {
    if (error instanceof UnknownOutcomeError) {
      const { entry } = await follower.store.get(key);
      if (entry !== undefined && entry.revision > o.expected && entry.value.equals(encoded.value)) return committed(entry.revision);
    }
    expectation.lost();
    throw error;
  }
}

export async function deleteEntry(resource: ServedResource, current: StoredEntry, o: { guard?: Guard } = {}): Promise<EntryWrite> {
  const { store } = resource.stored.follower;
  const deleted = (revision: number): EntryWrite => ({ committed: true, entry: { ...current, forms: current.forms.slice(), revision } });
  try {
    const result = await store.delete(current.key, { expected: current.revision, ...o });
    if (result.outcome === 'committed') return deleted(result.revision);
    return { committed: false, current: toCached(resource, result.current) };
  } catch (error) {
    if (!(error instanceof UnknownOutcomeError)) throw error;
    const { entry, revision } = await store.get(current.key);
    if (entry === undefined) return deleted(revision);
    throw error;
  }
}

function toCached(resource: ServedResource, entry: Entry | undefined): StoredEntry | undefined {
  if (entry === undefined) return undefined;
  const cached = resource.stored.cache.entries.get(entry.key);
  return cached?.revision === entry.revision ? cached : resource.stored.cache.toStored(entry);
}
