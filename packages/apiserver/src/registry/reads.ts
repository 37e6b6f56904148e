import { StatusError } from '@skiff/apimachinery';
import { CompactedError, FutureRevisionError } from '@skiff/storage';
import type { LogFollower } from '../storage/log-follower.ts';
import type { SortedEntries } from '../storage/sorted-entries.ts';
import type { StoredEntry } from '../storage/stored-entry.ts';
import { type ContinuePosition, decodeContinue, encodeContinue } from './continue-token.ts';
import { type ListOptions, parseResourceVersion } from './request-options.ts';
import type { StoredResource } from './stored-resource.ts';

/** How long a read waits for the cache before it goes to the store (or, asked for the future, gives up). */
export const freshnessTimeoutMs = 3000;

/** A revision that does not exist yet; clients retry after a second. */
export const tooLargeResourceVersion = (asked: number, current: number): StatusError =>
  new StatusError('Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 },
  });

/** Resolves when `revision` is applied; throws 504 when it is not within three seconds. */
export async function awaitRevision(follower: LogFollower, revision: number): Promise<void> {
  if (!(await follower.waitFor(revision, freshnessTimeoutMs))) throw tooLargeResourceVersion(revision, follower.appliedRevision);
}

/** The entry of a key as GET's resourceVersion asks: '' = every acknowledged write is seen, '0' = whatever is there, N = not older. */
export async function readEntry(resource: StoredResource, key: string, resourceVersion = ''): Promise<StoredEntry | undefined> {
  const { follower, cache } = resource;
  const revision = parseResourceVersion(resourceVersion, 'get');
  let fresh: boolean;
  if (resourceVersion === '') fresh = await follower.confirm(freshnessTimeoutMs);
  else {
    if (revision > 0) await awaitRevision(follower, revision);
    fresh = follower.appliedRevision > 0;
  }
  if (fresh) return cache.entries.get(key);
  return await readStoredEntry(resource, key);
}

/** Linearizable and past the cache. What the cache holds at the same revision is returned as the same entry. */
export async function readStoredEntry(resource: StoredResource, key: string): Promise<StoredEntry | undefined> {
  const { entry } = await resource.follower.store.get(key);
  if (entry === undefined) return undefined;
  const cached = resource.cache.entries.get(key);
  return cached?.revision === entry.revision ? cached : resource.cache.toStored(entry);
}

/** What a LIST reads: an immutable state, where in it to begin, and whether `limit` counts. */
export interface ListState {
  readonly entries: SortedEntries<StoredEntry>;
  readonly revision: number;
  /** First key that may be returned. */
  readonly from: string;
  readonly limit: number;
}

/** Resolves resourceVersion, resourceVersionMatch and continue for the keys below `prefix`. Throws upstream's 400, 410 and 504. */
export async function resolveListState(resource: StoredResource, prefix: string, o: ListOptions): Promise<ListState> {
  const { follower, cache } = resource;
  let position: ContinuePosition | undefined;
  if (o.continueToken !== '') {
    position = decodeContinue(o.continueToken, prefix);
    if (o.resourceVersion !== '' && o.resourceVersion !== '0') {
      throw new StatusError('BadRequest', 'specifying resource version is not allowed when using continue');
    }
  }
  const asked = position === undefined ? parseResourceVersion(o.resourceVersion, 'list') : 0;
  const from = position?.from ?? '';
  const exact =
    position !== undefined
      ? position.revision > 0
      : asked > 0 && (o.resourceVersionMatch === 'Exact' || (o.resourceVersionMatch === '' && o.limit > 0));
  if (exact) {
    const revision = position?.revision ?? asked;
    return { entries: await stateAt(resource, revision, position, prefix), revision, from, limit: o.limit };
  }
  if (position !== undefined || o.resourceVersion === '') {
    if (await follower.confirm(freshnessTimeoutMs))
      return { entries: cache.entries, revision: follower.appliedRevision, from, limit: o.limit };
    return { ...(await resource.history.latest()), from, limit: o.limit };
  }
  if (asked > 0) await awaitRevision(follower, asked);
  if (follower.appliedRevision === 0) return { ...(await resource.history.latest()), from, limit: o.limit };
  // Upstream's cache has never honoured a limit at resourceVersion 0.
  return { entries: cache.entries, revision: follower.appliedRevision, from, limit: asked === 0 ? 0 : o.limit };
}

const listExpired = 'The resourceVersion for the provided list is too old.';
const continueExpired =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

async function stateAt(
  resource: StoredResource,
  revision: number,
  position: ContinuePosition | undefined,
  prefix: string,
): Promise<SortedEntries<StoredEntry>> {
  if (revision > resource.follower.appliedRevision) await awaitRevision(resource.follower, revision);
  try {
    return await resource.history.at(revision);
  } catch (error) {
    if (error instanceof FutureRevisionError) throw tooLargeResourceVersion(revision, resource.follower.appliedRevision);
    if (!(error instanceof CompactedError)) throw error;
    if (position === undefined) throw new StatusError('Expired', listExpired);
    throw new StatusError('Expired', continueExpired, { metadata: { continue: encodeContinue(position.from, prefix, -1) } });
  }
}
