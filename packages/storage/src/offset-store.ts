import {
  type ChangeBatch,
  CompactedError,
  type Change,
  type DurableStore,
  type Entry,
  FutureRevisionError,
  type Guard,
  type Revision,
  type WriteResult,
} from './contract.ts';

/** How much the revisions of a store are ahead of those of the database behind it, in decimal. Absent: not at all. Written by a restore. */
export const revisionOffsetKey = 'skiff_revision_offset';

/** Matches no revision of any entry. */
const never: Revision = Number.MAX_SAFE_INTEGER;

/**
 * A store whose revisions lie beyond everything that was ever seen of it, although the database behind it began anew from a backup: revisions of
 * the lost future are below the offset, count as compacted, and are never given out again (docs/decisions/backup.md). The offset is read once, when it is first
 * needed: a restore happens while nothing runs.
 */
export function withRevisionOffset(inner: DurableStore): DurableStore {
  return new OffsetStore(inner);
}

class OffsetStore implements DurableStore {
  readonly #inner: DurableStore;
  #offset: Revision | undefined;
  #reading: Promise<Revision> | undefined;

  constructor(inner: DurableStore) {
    this.#inner = inner;
  }

  /** Read again after a failure. */
  #read(): Promise<Revision> {
    this.#reading ??= this.#inner.get(revisionOffsetKey).then(
      ({ entry }) => {
        const offset = Number(entry?.value.toString() ?? 0);
        if (!Number.isSafeInteger(offset) || offset < 0) throw new Error(`${revisionOffsetKey} holds no number`);
        this.#offset = offset;
        return offset;
      },
      (error: unknown) => {
        this.#reading = undefined;
        throw error;
      },
    );
    return this.#reading;
  }

  async get(key: string, o: { at?: Revision } = {}): Promise<{ entry: Entry | undefined; revision: Revision }> {
    const offset = this.#offset ?? (await this.#read());
    if (offset === 0) return await this.#inner.get(key, o);
    const { entry, revision } = await this.#outside(offset, this.#inner.get(key, this.#inside(offset, o)));
    return { entry: entry && shifted(entry, offset), revision: revision + offset };
  }

  async list(
    prefix: string,
    o: { at?: Revision; after?: string; limit?: number } = {},
  ): Promise<{ entries: readonly Entry[]; revision: Revision; more: boolean; count: number }> {
    const offset = this.#offset ?? (await this.#read());
    if (offset === 0) return await this.#inner.list(prefix, o);
    const page = await this.#outside(offset, this.#inner.list(prefix, this.#inside(offset, o)));
    return { ...page, entries: page.entries.map((e) => shifted(e, offset)), revision: page.revision + offset };
  }

  async put(key: string, value: Uint8Array, o: { expected: Revision; ttlSeconds?: number; guard?: Guard }): Promise<WriteResult> {
    const offset = this.#offset ?? (await this.#read());
    if (offset === 0) return await this.#inner.put(key, value, o);
    return shiftedResult(await this.#inner.put(key, value, { ...o, ...conditions(o, offset) }), offset);
  }

  async delete(key: string, o: { expected: Revision; guard?: Guard }): Promise<WriteResult> {
    const offset = this.#offset ?? (await this.#read());
    if (offset === 0) return await this.#inner.delete(key, o);
    return shiftedResult(await this.#inner.delete(key, { ...o, ...conditions(o, offset) }), offset);
  }

  async currentRevision(): Promise<Revision> {
    return (await this.#inner.currentRevision()) + (this.#offset ?? (await this.#read()));
  }

  async *watch(prefix: string, o: { after: Revision; signal: AbortSignal }): AsyncGenerator<ChangeBatch> {
    const offset = this.#offset ?? (await this.#read());
    if (offset === 0) return yield* this.#inner.watch(prefix, o);
    // All that the database had when it was filled is one state; the way there is not history.
    if (o.after <= offset) throw new CompactedError(offset);
    try {
      for await (const batch of this.#inner.watch(prefix, { ...o, after: o.after - offset }))
        yield { changes: batch.changes.map((c) => shiftedChange(c, offset)), appliedRevision: batch.appliedRevision + offset };
    } catch (error) {
      throw shiftedError(error, offset);
    }
  }

  async compact(upTo: Revision): Promise<void> {
    const offset = this.#offset ?? (await this.#read());
    if (upTo > offset) await this.#outside(offset, this.#inner.compact(upTo - offset));
  }

  async compactedRevision(): Promise<Revision> {
    return (await this.#inner.compactedRevision()) + (this.#offset ?? (await this.#read()));
  }

  hold(key: string, value: Uint8Array, o: { ttlSeconds: number; signal: AbortSignal }): Promise<void> {
    return this.#inner.hold(key, value, o);
  }

  ping(): Promise<void> {
    return this.#inner.ping();
  }

  async databaseBytes(): Promise<number | undefined> {
    return await this.#inner.databaseBytes?.();
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#inner[Symbol.asyncDispose]();
  }

  #inside<O extends { at?: Revision }>(offset: Revision, o: O): O {
    if (o.at === undefined) return o;
    if (o.at <= offset) throw new CompactedError(offset);
    return { ...o, at: o.at - offset };
  }

  async #outside<T>(offset: Revision, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw shiftedError(error, offset);
    }
  }
}

const inner = (revision: Revision, offset: Revision): Revision => (revision === 0 ? 0 : revision > offset ? revision - offset : never);

const conditions = (o: { expected: Revision; guard?: Guard }, offset: Revision): { expected: Revision; guard?: Guard } => ({
  expected: inner(o.expected, offset),
  ...(o.guard === undefined ? {} : { guard: { key: o.guard.key, revision: inner(o.guard.revision, offset) } }),
});

const shifted = (entry: Entry, offset: Revision): Entry => ({ key: entry.key, value: entry.value, revision: entry.revision + offset });

function shiftedChange(c: Change, offset: Revision): Change {
  return { ...c, revision: c.revision + offset, ...(c.previous === undefined ? {} : { previous: shifted(c.previous, offset) }) };
}

function shiftedResult(r: WriteResult, offset: Revision): WriteResult {
  const revision = r.revision + offset;
  if (r.outcome === 'lost') return { ...r, revision, current: r.current && shifted(r.current, offset) };
  return { ...r, revision, ...(r.previous === undefined ? {} : { previous: shifted(r.previous, offset) }) };
}

function shiftedError(error: unknown, offset: Revision): unknown {
  if (error instanceof CompactedError) return new CompactedError(error.compactedRevision + offset);
  if (error instanceof FutureRevisionError) return new FutureRevisionError(error.currentRevision + offset);
  return error;
}
