import { type ChildSignal, childSignal } from '@skiff/component-base';
import {
  type Change,
  type ChangeBatch,
  CompactedError,
  type DurableStore,
  type Entry,
  type Guard,
  type Revision,
  type RevisionedStore,
  type WriteResult,
} from '@skiff/storage';
import type { Encryption } from './encryption.ts';
import { readThrough, writeThrough } from './transformers.ts';

/**
 * A store whose values are kept as an EncryptionConfiguration says. What can't be read is handed on as it lies there: whoever decodes
 * it refuses it by its prefix, and everything else goes on. When other keys come after that, watches end with CompactedError: who
 * keeps what they bring has to read it anew.
 */
export function withEncryption<S extends RevisionedStore>(inner: S, encryption: Encryption): S {
  return new EncryptedStore(inner as unknown as DurableStore, encryption) as unknown as S;
}

class EncryptedStore implements DurableStore {
  readonly #inner: DurableStore;
  readonly #encryption: Encryption;
  readonly #watching = new Set<ChildSignal>();
  /** Was anything handed on that could not be read? */
  #isIncomplete = false;
  /** …with other keys than there are now, and nobody who watches was told yet. */
  #isOutdated = false;

  constructor(inner: DurableStore, encryption: Encryption) {
    this.#inner = inner;
    this.#encryption = encryption;
    encryption.onChange(() => {
      if (!this.#isIncomplete) return;
      this.#isOutdated = true;
      for (const watch of this.#watching) watch.abort();
    });
  }

  #value(key: string, stored: Buffer): Buffer {
    const chain = this.#encryption.chainFor(key);
    if (chain === undefined) return stored;
    try {
      return readThrough(chain, stored, key).value;
    } catch {
      this.#isIncomplete = true;
      return stored;
    }
  }

  #entry(entry: Entry): Entry {
    const value = this.#value(entry.key, entry.value);
    return value === entry.value ? entry : { ...entry, value };
  }

  #change(change: Change): Change {
    const { value, previous } = change;
    if (this.#encryption.chainFor(change.key) === undefined) return change;
    return {
      ...change,
      ...(value === undefined ? {} : { value: this.#value(change.key, value) }),
      ...(previous === undefined ? {} : { previous: this.#entry(previous) }),
    };
  }

  #result(result: WriteResult): WriteResult {
    if (result.outcome === 'lost') return result.current === undefined ? result : { ...result, current: this.#entry(result.current) };
    return result.previous === undefined ? result : { ...result, previous: this.#entry(result.previous) };
  }

  async get(key: string, o?: { at?: Revision }): Promise<{ entry: Entry | undefined; revision: Revision }> {
    const found = await this.#inner.get(key, o);
    return found.entry === undefined ? found : { ...found, entry: this.#entry(found.entry) };
  }

  async list(
    prefix: string,
    o?: { at?: Revision; after?: string; limit?: number },
  ): Promise<{ entries: readonly Entry[]; revision: Revision; more: boolean; count: number }> {
    const page = await this.#inner.list(prefix, o);
    return { ...page, entries: page.entries.map((e) => this.#entry(e)) };
  }

  async put(key: string, value: Uint8Array, o: { expected: Revision; ttlSeconds?: number; guard?: Guard }): Promise<WriteResult> {
    const chain = this.#encryption.chainFor(key);
    return this.#result(await this.#inner.put(key, chain === undefined ? value : writeThrough(chain, value, key), o));
  }

  async delete(key: string, o: { expected: Revision; guard?: Guard }): Promise<WriteResult> {
    return this.#result(await this.#inner.delete(key, o));
  }

  async isStale(key: string): Promise<boolean> {
    const chain = this.#encryption.chainFor(key);
    if (chain === undefined || (chain.length === 1 && chain[0].prefix.length === 0)) return false;
    const { entry } = await this.#inner.get(key);
    return entry !== undefined && readThrough(chain, entry.value, key).isStale;
  }

  async *watch(prefix: string, o: { after: Revision; signal: AbortSignal }): AsyncGenerator<ChangeBatch> {
    const watching = childSignal(o.signal);
    this.#watching.add(watching);
    let applied = o.after;
    try {
      if (!this.#isOutdated) {
        for await (const batch of this.#inner.watch(prefix, { after: o.after, signal: watching.signal })) {
          yield batch.changes.length === 0 ? batch : { ...batch, changes: batch.changes.map((c) => this.#change(c)) };
          applied = batch.appliedRevision;
        }
      }
      if (o.signal.aborted || !this.#isOutdated) return;
      this.#isOutdated = this.#isIncomplete = false;
      throw new CompactedError(applied);
    } finally {
      this.#watching.delete(watching);
      watching[Symbol.dispose]();
    }
  }

  currentRevision(): Promise<Revision> {
    return this.#inner.currentRevision();
  }
  compact(upTo: Revision): Promise<void> {
    return this.#inner.compact(upTo);
  }
  compactedRevision(): Promise<Revision> {
    return this.#inner.compactedRevision();
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
}
