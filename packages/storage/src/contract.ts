/**
 * A revisioned key-value log: the only thing of Skiff that persists. Implemented by etcd, Redis and memory; `conformance.ts`
 * runs one suite on all of them.
 *
 * - Revisions are positive, grow with every write of the store, and never go back, whatever is lost or restarted.
 * - Writes are compare-and-set. A lost race is a value (`lost`), not an error.
 * - A write whose outcome is unknown (connection cut) throws `UnknownOutcomeError`; the caller re-reads.
 */

/** A position in the log. Safe integers: etcd's and Redis' counters stay far below 2^53 (Redis starts from microseconds of the clock). */
export type Revision = number;

export interface Entry {
  readonly key: string;
  /** Owned by the receiver; never a slice of a larger message buffer. */
  readonly value: Buffer;
  /** Revision of the write that made this value. */
  readonly revision: Revision;
}

export interface Change {
  readonly type: 'put' | 'delete';
  readonly key: string;
  /** The written value; absent on delete. */
  readonly value?: Buffer;
  readonly revision: Revision;
  /** What was there before, absent on creation. On delete: the last value. */
  readonly previous?: Entry;
}

/** Several changes can share one batch; a batch never splits a revision. Empty `changes` with a higher revision is a progress mark. */
export interface ChangeBatch {
  readonly changes: readonly Change[];
  /** Everything at or below this revision has been delivered. */
  readonly appliedRevision: Revision;
}

export type WriteResult =
  | { readonly outcome: 'committed'; readonly revision: Revision /** what a delete removed */; readonly previous?: Entry }
  | {
      readonly outcome: 'lost' /** the current entry; undefined when the key is gone. As expected: it was the guard that did not hold */;
      readonly current: Entry | undefined;
      readonly revision: Revision;
    };

/** A condition of a write on another key: its last change was at `revision`; 0 = it must not exist. Checked in the same transaction. */
export interface Guard {
  readonly key: string;
  readonly revision: Revision;
}

export interface RevisionedStore extends AsyncDisposable {
  /** Linearizable unless `at` is given. Throws CompactedError when `at` is below the compacted revision, FutureRevisionError when it is ahead. */
  get(key: string, o?: { at?: Revision }): Promise<{ entry: Entry | undefined; revision: Revision }>;
  /** Keys that begin with `prefix`, in byte order, after the key `after` (exclusive). `count` = all that match behind `after`, beyond the limit too. */
  list(
    prefix: string,
    o?: { at?: Revision; after?: string; limit?: number },
  ): Promise<{ entries: readonly Entry[]; revision: Revision; more: boolean; count: number }>;
  /** Compare-and-set: `expected` 0 = must not exist, else the revision of the current entry. `ttlSeconds`: expires; a delete is then logged. */
  put(key: string, value: Uint8Array, o: { expected: Revision; ttlSeconds?: number; guard?: Guard }): Promise<WriteResult>;
  delete(key: string, o: { expected: Revision; guard?: Guard }): Promise<WriteResult>;
  /** Linearizable: at least every write acknowledged before the call. Not coalesced here. */
  currentRevision(): Promise<Revision>;
  /**
   * Everything under `prefix` with a revision above `after`, in order, without gap or repeat, across reconnects.
   * Ends with CompactedError when `after` is below the compacted revision, at the start or later (a reader that slow has lost history).
   * At the compacted revision it may start: everything above is still there. The same error when `after` is ahead of the store, which
   * has then lost data (a restored backup). Ends normally only when `signal` aborts.
   */
  watch(prefix: string, o: { after: Revision; signal: AbortSignal }): AsyncIterable<ChangeBatch>;
  /** Forget history at and below `upTo`, which must exist; each key's state at `upTo` is kept. Below what is already compacted: nothing happens. */
  compact(upTo: Revision): Promise<void>;
  /** The highest compacted revision this store knows of, 0 if none. */
  compactedRevision(): Promise<Revision>;
  /** Would the same value, written again at this key, lie differently in the store? Absent: never. */
  isStale?(key: string): Promise<boolean>;
  /** Resolves when the store answers; throws why it doesn't. For readiness checks. */
  ping(): Promise<void>;
}

/** A store that outlives everything that uses it: also the place where processes see each other live. */
export interface DurableStore extends RevisionedStore {
  /**
   * Keeps `key` at `value` for as long as the caller lives: it goes within about `ttlSeconds` when this process dies or can no longer reach the
   * store, at once when `signal` aborts (resolves then), and comes back by itself. Keeping it writes nothing.
   */
  hold(key: string, value: Uint8Array, o: { ttlSeconds: number; signal: AbortSignal }): Promise<void>;
  /** What the database takes on the disk of the member that answers; undefined: it has no such thing. */
  databaseBytes?(): Promise<number | undefined>;
}

/** The asked history is gone. */
export class CompactedError extends Error {
  readonly compactedRevision: Revision;
  constructor(compactedRevision: Revision) {
    super(`required revision has been compacted (up to ${compactedRevision})`);
    this.name = 'CompactedError';
    this.compactedRevision = compactedRevision;
  }
}

/** The asked revision has not been written yet. */
export class FutureRevisionError extends Error {
  readonly currentRevision: Revision;
  constructor(currentRevision: Revision) {
    super(`required revision is a future revision (now at ${currentRevision})`);
    this.name = 'FutureRevisionError';
    this.currentRevision = currentRevision;
  }
}

/** The write may or may not have happened. */
export class UnknownOutcomeError extends Error {
  constructor(cause: unknown) {
    super(`the outcome of the write is unknown: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'UnknownOutcomeError';
  }
}

/** The store can't be reached at the moment. Reads may be retried. */
export class StoreUnavailableError extends Error {
  constructor(cause: unknown) {
    super(`the store is unavailable: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'StoreUnavailableError';
  }
}

/** Value above the store's limit. */
export class ValueTooLargeError extends Error {
  constructor(bytes: number) {
    super(`the value of ${bytes} bytes is larger than the store takes`);
    this.name = 'ValueTooLargeError';
  }
}
