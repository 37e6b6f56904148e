import { systemClock, type Clock } from '@skiff/component-base';
import {
  type Change,
  type ChangeBatch,
  CompactedError,
  type DurableStore,
  type Entry,
  FutureRevisionError,
  type Guard,
  type Revision,
  StoreUnavailableError,
  ValueTooLargeError,
  type WriteResult,
} from './contract.ts';
import { lowerBound } from './key-order.ts';

export interface MemoryStoreConfig {
  /** The revision of the empty store. Default: microseconds of the clock, so that a restarted process never goes back. */
  readonly firstRevision?: Revision;
  /** Default 1.5 MiB, etcd's own limit. */
  readonly maxValueBytes?: number;
}

/** What a key was from one revision on; `entry` undefined = deleted. */
interface Version {
  readonly revision: Revision;
  readonly entry: Entry | undefined;
}

const sweepMs = 250;
const maxBatch = 1000;

/**
 * A RevisionedStore in this process, for tests and for clusters that need not survive. Values are shared between readers, who
 * must not change them. Writes take effect synchronously, in the order of the calls.
 */
export function createMemoryStore(config: MemoryStoreConfig = {}, deps: { clock?: Clock } = {}): DurableStore {
  return new MemoryStore(config, deps.clock ?? systemClock);
}

class MemoryStore implements DurableStore {
  readonly #clock: Clock;
  readonly #maxValueBytes: number;
  #revision: Revision;
  #compacted: Revision;
  /** `#log[i]` has revision `#compacted + 1 + i`: each write takes the next revision. */
  #log: Change[] = [];
  /** Sorted; includes keys whose deletion is still in the history. */
  readonly #keys: string[] = [];
  readonly #versions = new Map<string, Version[]>();
  /** Expiry second → what expires then, unless written again. */
  readonly #expiring = new Map<number, { key: string; revision: Revision }[]>();
  #sweep: Disposable | undefined;
  #closed = false;
  readonly #waiting = new Set<() => void>();

  constructor(config: MemoryStoreConfig, clock: Clock) {
    this.#clock = clock;
    this.#maxValueBytes = config.maxValueBytes ?? 1_572_864;
    this.#revision = config.firstRevision ?? clock.now() * 1000;
    this.#compacted = this.#revision;
  }

  async get(key: string, o: { at?: Revision } = {}): Promise<{ entry: Entry | undefined; revision: Revision }> {
    this.#check(o.at);
    return { entry: this.#entryAt(key, o.at ?? this.#revision), revision: this.#revision };
  }

  async list(
    prefix: string,
    o: { at?: Revision; after?: string; limit?: number } = {},
  ): Promise<{ entries: readonly Entry[]; revision: Revision; more: boolean; count: number }> {
    this.#check(o.at);
    const at = o.at ?? this.#revision;
    const limit = o.limit ?? Infinity;
    const entries: Entry[] = [];
    let count = 0;
    const start = Math.max(lowerBound(this.#keys, prefix), o.after === undefined ? 0 : lowerBound(this.#keys, o.after, false));
    for (let i = start; i < this.#keys.length; i++) {
      const key = this.#keys[i] as string;
      if (!key.startsWith(prefix)) break;
      const entry = this.#entryAt(key, at);
      if (entry === undefined) continue;
      if (count++ < limit) entries.push(entry);
    }
    return { entries, revision: at, more: count > entries.length, count };
  }

  async put(key: string, value: Uint8Array, o: { expected: Revision; ttlSeconds?: number; guard?: Guard }): Promise<WriteResult> {
    this.#check();
    if (value.byteLength > this.#maxValueBytes) throw new ValueTooLargeError(value.byteLength);
    const current = this.#entryAt(key, this.#revision);
    if ((current?.revision ?? 0) !== o.expected || this.#isBarred(o.guard)) return { outcome: 'lost', current, revision: this.#revision };
    const copy = Buffer.allocUnsafeSlow(value.byteLength);
    copy.set(value);
    const revision = ++this.#revision;
    this.#append({ type: 'put', key, value: copy, revision, ...(current && { previous: current }) }, { key, value: copy, revision });
    if (o.ttlSeconds !== undefined) this.#expireLater(key, revision, o.ttlSeconds);
    return { outcome: 'committed', revision };
  }

  async delete(key: string, o: { expected: Revision; guard?: Guard }): Promise<WriteResult> {
    this.#check();
    const current = this.#entryAt(key, this.#revision);
    if (current === undefined || current.revision !== o.expected || this.#isBarred(o.guard))
      return { outcome: 'lost', current, revision: this.#revision };
    this.#remove(current);
    return { outcome: 'committed', revision: this.#revision, previous: current };
  }

  async hold(key: string, value: Uint8Array, o: { ttlSeconds: number; signal: AbortSignal }): Promise<void> {
    const entry = (): Entry | undefined => this.#entryAt(key, this.#revision);
    await this.put(key, value, { expected: entry()?.revision ?? 0 });
    if (!o.signal.aborted) await new Promise<void>((resolve) => o.signal.addEventListener('abort', () => resolve(), { once: true }));
    const left = entry();
    if (left !== undefined && !this.#closed) this.#remove(left);
  }

  #isBarred(guard: Guard | undefined): boolean {
    return guard !== undefined && (this.#entryAt(guard.key, this.#revision)?.revision ?? 0) !== guard.revision;
  }

  async currentRevision(): Promise<Revision> {
    this.#check();
    return this.#revision;
  }

  async *watch(prefix: string, o: { after: Revision; signal: AbortSignal }): AsyncGenerator<ChangeBatch> {
    let applied = o.after;
    while (!o.signal.aborted) {
      this.#check();
      if (applied < this.#compacted || applied > this.#revision) throw new CompactedError(this.#compacted);
      if (applied >= this.#revision) {
        await this.#nextWrite(o.signal);
        continue;
      }
      const from = applied - this.#compacted;
      const slice = this.#log.slice(from, from + maxBatch);
      applied += slice.length;
      yield { changes: prefix === '' ? slice : slice.filter((c) => c.key.startsWith(prefix)), appliedRevision: applied };
    }
  }

  async compact(upTo: Revision): Promise<void> {
    this.#check();
    if (upTo > this.#revision) throw new FutureRevisionError(this.#revision);
    if (upTo <= this.#compacted) return;
    const forgotten = this.#log.splice(0, upTo - this.#compacted);
    this.#compacted = upTo;
    for (const key of new Set(forgotten.map((c) => c.key))) {
      const versions = this.#versions.get(key) as Version[];
      const kept = versions.findLastIndex((v) => v.revision <= upTo);
      versions.splice(0, versions[kept]?.entry === undefined ? kept + 1 : kept);
      if (versions.length === 0) {
        this.#versions.delete(key);
        this.#keys.splice(lowerBound(this.#keys, key), 1);
      }
    }
    this.#wake();
  }

  async compactedRevision(): Promise<Revision> {
    return this.#compacted;
  }

  async ping(): Promise<void> {
    this.#check();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#sweep?.[Symbol.dispose]();
    this.#wake();
  }

  #check(at?: Revision): void {
    if (this.#closed) throw new StoreUnavailableError(new Error('closed'));
    if (at === undefined) return;
    if (at < this.#compacted) throw new CompactedError(this.#compacted);
    if (at > this.#revision) throw new FutureRevisionError(this.#revision);
  }

  #entryAt(key: string, at: Revision): Entry | undefined {
    const versions = this.#versions.get(key);
    return versions?.findLast((v) => v.revision <= at)?.entry;
  }

  #append(change: Change, entry: Entry | undefined): void {
    this.#log.push(change);
    let versions = this.#versions.get(change.key);
    if (versions === undefined) {
      versions = [];
      this.#versions.set(change.key, versions);
      this.#keys.splice(lowerBound(this.#keys, change.key), 0, change.key);
    }
    versions.push({ revision: change.revision, entry });
    this.#wake();
  }

  #remove(current: Entry): void {
    this.#append({ type: 'delete', key: current.key, revision: ++this.#revision, previous: current }, undefined);
  }

  #expireLater(key: string, revision: Revision, ttlSeconds: number): void {
    const second = Math.ceil(this.#clock.now() / 1000 + ttlSeconds);
    const due = this.#expiring.get(second);
    if (due === undefined) this.#expiring.set(second, [{ key, revision }]);
    else due.push({ key, revision });
    this.#sweep ??= this.#clock.after(sweepMs, () => this.#removeExpired());
  }

  #removeExpired(): void {
    this.#sweep = undefined;
    for (const [second, due] of this.#expiring) {
      if (second * 1000 > this.#clock.now()) continue;
      this.#expiring.delete(second);
      for (const { key, revision } of due) {
        const current = this.#entryAt(key, this.#revision);
        if (current?.revision === revision) this.#remove(current);
      }
    }
    if (this.#expiring.size > 0) this.#sweep = this.#clock.after(sweepMs, () => this.#removeExpired());
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #nextWrite(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
