import { isStatusError, StatusError } from '@skiff/apimachinery';
import type { Lifetime } from '../contract.ts';
import type { StoredEntry } from '../storage/stored-entry.ts';
import { deleteEntry, pendingEntry, putEntry } from './entry-writes.ts';
import { guardFor, type LeaderGuard } from './leader-guard.ts';
import { readStoredEntry } from './reads.ts';
import type { EncodedObject } from './resource-codec.ts';
import type { ServedResource } from './stored-resource.ts';
import { prepareEntries, type StorableObject, storable } from './webhook-conversion.ts';

/** What the closure of a guaranteed update wants done with the state it was shown. */
export type Change =
  | { readonly kind: 'put'; readonly encoded: EncodedObject; readonly ttlSeconds?: number }
  /** `answer`: what the client gets to see instead of the last state. */
  | { readonly kind: 'delete'; readonly answer?: EncodedObject }
  /** Nothing to write, if that state is the current one. */
  | { readonly kind: 'keep' }
  /** The closure did all there is to do. */
  | { readonly kind: 'done'; readonly entry: StoredEntry };

export interface UpdateOutcome {
  readonly kind: 'put' | 'deleted' | 'unchanged' | 'done';
  /** The written entry; on deletion what was deleted, at the deletion's revision; else the current one. */
  readonly entry: StoredEntry | undefined;
}

export interface GuaranteedUpdate {
  readonly key: string;
  readonly dryRun: boolean;
  readonly guard?: LeaderGuard | undefined;
  readonly lifetime?: Lifetime;
  /** Gets the current entry, undefined = absent. Runs again after a lost race, and on a newer state when it throws on one that may be stale. */
  change(current: StoredEntry | undefined): Promise<Change> | Change;
}

/**
 * Reads, changes and writes with compare-and-set until it holds. Starts from the cache: what the closure concludes from an unconfirmed
 * state (an error, nothing to do) is only believed after a read of the store showed the same revision. Equal bytes are not written,
 * unless the store would keep them in another form now (another key for their encryption).
 */
export async function guaranteedUpdate(resource: ServedResource, o: GuaranteedUpdate): Promise<UpdateOutcome> {
  const { stored } = resource;
  let confirmed = stored.follower.appliedRevision === 0;
  let current = confirmed ? await readStoredEntry(stored, o.key) : stored.cache.newest(o.key);
  /** True: the state was the current one after all. */
  const isCurrent = async (): Promise<boolean> => {
    if (confirmed) return true;
    const read = await readStoredEntry(stored, o.key);
    confirmed = true;
    if (read?.revision === current?.revision) return true;
    current = read;
    return false;
  };
  for (let attempt = 1; ; attempt++) {
    if (attempt > 1 && o.lifetime?.signal.aborted) throw requestTimeout();
    let change: Change;
    try {
      if (current !== undefined && resource.view.awaits(current)) await prepareEntries(resource, [current]);
      change = await o.change(current);
    } catch (error) {
      // Created by someone else between our read and our creation: look again.
      if (current === undefined && isStatusError(error) && error.reason === 'AlreadyExists') confirmed = false;
      if (await isCurrent()) throw error;
      continue;
    }
    if (change.kind === 'done') return { kind: 'done', entry: change.entry };
    let object: StorableObject | undefined;
    try {
      object = change.kind === 'put' ? await storable(resource, change.encoded) : undefined;
    } catch (error) {
      if (await isCurrent()) throw error;
      continue;
    }
    if (change.kind === 'keep' || (current !== undefined && object?.value.equals(current.value) === true)) {
      if (!(await isCurrent())) continue;
      if (change.kind === 'keep' || o.dryRun || (await stored.follower.store.isStale?.(o.key)) !== true)
        return { kind: 'unchanged', entry: current };
    }
    if (change.kind === 'delete') {
      if (current === undefined || o.dryRun) return { kind: 'deleted', entry: current };
      const result = await deleteEntry(resource, current, await guardFor(resource, o.guard));
      if (result.committed) return { kind: 'deleted', entry: result.entry };
      o.guard?.lost();
      current = result.current;
    } else if (object !== undefined) {
      const expected = current?.revision ?? 0;
      if (o.dryRun) {
        if (await isCurrent()) return { kind: 'put', entry: pendingEntry(resource, o.key, object, expected) };
        continue;
      }
      const ttl = change.ttlSeconds === undefined ? {} : { ttlSeconds: change.ttlSeconds };
      const result = await putEntry(resource, o.key, object, { expected, ...ttl, ...(await guardFor(resource, o.guard)) });
      if (result.committed) return { kind: 'put', entry: result.entry };
      o.guard?.lost();
      current = result.current;
    }
    confirmed = true;
  }
}

const requestTimeout = (): StatusError =>
  new StatusError('Timeout', 'Timeout: request did not complete within requested timeout - context deadline exceeded', { details: {} });
