import { silentLogger, systemClock, type Clock, type Logger } from '@skiff/component-base';
import { EtcdLeaseInvalidError, type Etcd3, type IRangeRequest, type IRangeResponse, type IRequestOp, type ITxnResponse } from 'etcd3';
import {
  type ChangeBatch,
  CompactedError,
  type Entry,
  FutureRevisionError,
  type Revision,
  type RevisionedStore,
  StoreUnavailableError,
  type WriteResult,
} from './contract.ts';
import { createEtcdClient, type EtcdStoreConfig } from './etcd-client.ts';
import { isCompacted, isFuture, isNotDone, isWorthRetry, readError, writeError } from './etcd-errors.ts';
import { SharedLeases } from './etcd-leases.ts';
import { followStream, toEntry } from './etcd-watch.ts';
import { compareKeys } from './key-order.ts';

/** Upstream's key for the same purpose; its value is the compacted revision in decimal. */
const compactRevKey = Buffer.from('compact_rev_key');
const pageSize = 500;
const readRetryDelaysMs = [0, 50, 200, 500];
const watchBackoffMs = { initial: 50, max: 2_000 };

/** A RevisionedStore in etcd 3.4 or later. Connects on first use. */
export function createEtcdStore(config: EtcdStoreConfig, deps: { clock?: Clock; log?: Logger } = {}): RevisionedStore {
  return new EtcdStore(config, deps.clock ?? systemClock, deps.log ?? silentLogger);
}

class EtcdStore implements RevisionedStore {
  readonly #etcd: Etcd3;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #leases: SharedLeases;
  readonly #closed = new AbortController();
  #compacted: Revision = 0;

  constructor(config: EtcdStoreConfig, clock: Clock, log: Logger) {
    this.#etcd = createEtcdClient(config);
    this.#clock = clock;
    this.#log = log;
    this.#leases = new SharedLeases(this.#etcd, clock);
  }

  async get(key: string, o: { at?: Revision } = {}): Promise<{ entry: Entry | undefined; revision: Revision }> {
    const response = await this.#range({ key: Buffer.from(key), ...at(o.at) });
    const kv = response.kvs[0];
    return { entry: kv && toEntry(kv, key), revision: Number(response.header.revision) };
  }

  async list(
    prefix: string,
    o: { at?: Revision; after?: string; limit?: number } = {},
  ): Promise<{ entries: readonly Entry[]; revision: Revision; more: boolean; count: number }> {
    for (;;) {
      try {
        return await this.#listPages(prefix, o);
      } catch (error) {
        // Without `at` the pages are pinned to a revision of our own choice, which a compaction may have overtaken.
        if (!(error instanceof CompactedError) || o.at !== undefined) throw error;
      }
    }
  }

  async #listPages(
    prefix: string,
    o: { at?: Revision; after?: string; limit?: number },
  ): Promise<{ entries: readonly Entry[]; revision: Revision; more: boolean; count: number }> {
    const limit = o.limit ?? Infinity;
    const rangeEnd = endOfPrefix(prefix);
    const entries: Entry[] = [];
    let revision = o.at;
    let count: number | undefined;
    let last = o.after;
    for (;;) {
      const response = await this.#range({
        key: startOf(prefix, last),
        range_end: rangeEnd,
        limit: Math.min(limit - entries.length, pageSize),
        ...at(revision),
      });
      for (const kv of response.kvs) entries.push(toEntry(kv));
      revision ??= Number(response.header.revision);
      count ??= Number(response.count);
      if (!response.more || entries.length >= limit) return { entries, revision, more: response.more, count };
      last = entries.at(-1)?.key;
    }
  }

  async put(key: string, value: Uint8Array, o: { expected: Revision; ttlSeconds?: number }): Promise<WriteResult> {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const put = (lease?: string): Promise<ITxnResponse> =>
      this.#compareAndSet(key, o.expected, { request_put: { key: Buffer.from(key), value: bytes, ...(lease && { lease }) } }, bytes.length);
    const response = o.ttlSeconds === undefined ? await put() : await this.#withLease(o.ttlSeconds, put);
    return response.succeeded ? { outcome: 'committed', revision: Number(response.header.revision) } : lost(key, response);
  }

  async delete(key: string, o: { expected: Revision }): Promise<WriteResult> {
    if (o.expected === 0) {
      const { entry, revision } = await this.get(key);
      return { outcome: 'lost', current: entry, revision };
    }
    const response = await this.#compareAndSet(key, o.expected, { request_delete_range: { key: Buffer.from(key), prev_kv: true } }, 0);
    if (!response.succeeded) return lost(key, response);
    const removed = response.responses[0]?.response_delete_range.prev_kvs[0];
    return { outcome: 'committed', revision: Number(response.header.revision), ...(removed && { previous: toEntry(removed, key) }) };
  }

  async currentRevision(): Promise<Revision> {
    const response = await this.#range({ key: compactRevKey, count_only: true });
    return Number(response.header.revision);
  }

  async *watch(prefix: string, o: { after: Revision; signal: AbortSignal }): AsyncGenerator<ChangeBatch> {
    let applied = o.after;
    let delayMs = watchBackoffMs.initial;
    const source = { etcd: this.#etcd, verifyHistory: (after: Revision) => this.#verifyHistory(after) };
    while (!o.signal.aborted) {
      if (this.#closed.signal.aborted) throw new StoreUnavailableError(new Error('closed'));
      try {
        for await (const batch of followStream(source, prefix, { after: applied, signal: o.signal })) {
          applied = batch.appliedRevision;
          delayMs = watchBackoffMs.initial;
          yield batch;
        }
      } catch (error) {
        if (error instanceof CompactedError) throw error;
        this.#log.debug({ err: error, after: applied }, 'watch was cut; resuming');
        await this.#clock.sleep(delayMs * (1 + Math.random() / 2), o.signal).catch(() => undefined);
        delayMs = Math.min(delayMs * 2, watchBackoffMs.max);
      }
    }
  }

  async compact(upTo: Revision): Promise<void> {
    for (;;) {
      const response = await this.#range({ key: compactRevKey });
      const current = response.kvs[0];
      const revision = Number(response.header.revision);
      if (upTo > revision) throw new FutureRevisionError(revision);
      this.#compacted = Math.max(this.#compacted, Number(current?.value.toString() ?? 0));
      if (upTo <= this.#compacted) return;
      // The mark comes first: whoever starts a watch must not find the history gone and no mark.
      const mark = { request_put: { key: compactRevKey, value: Buffer.from(String(upTo)) } };
      const marked = await this.#compareAndSet(compactRevKey.toString(), Number(current?.mod_revision ?? 0), mark, 0);
      if (marked.succeeded) break;
    }
    try {
      await this.#etcd.kv.compact({ revision: upTo });
    } catch (error) {
      if (!isCompacted(error)) throw writeError(error, 0);
    }
    this.#compacted = Math.max(this.#compacted, upTo);
  }

  async compactedRevision(): Promise<Revision> {
    const response = await this.#range({ key: compactRevKey });
    this.#compacted = Math.max(this.#compacted, Number(response.kvs[0]?.value.toString() ?? 0));
    return this.#compacted;
  }

  async ping(): Promise<void> {
    await this.currentRevision();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    this.#etcd.close();
  }

  /** A read at a revision below the compacted one is refused, which tells exactly whether all above `after` is still there. */
  async #verifyHistory(after: Revision): Promise<void> {
    if (after === 0) return;
    try {
      await this.#range({ key: compactRevKey, count_only: true, revision: after });
    } catch (error) {
      if (error instanceof FutureRevisionError) throw new CompactedError(error.currentRevision);
      throw error;
    }
  }

  async #range(request: IRangeRequest): Promise<IRangeResponse> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#etcd.kv.range(request);
      } catch (error) {
        if (isCompacted(error)) throw new CompactedError(Math.max(await this.compactedRevision(), Number(request.revision) + 1));
        if (isFuture(error)) throw new FutureRevisionError(await this.currentRevision());
        await this.#beforeRetry(attempt, isWorthRetry(error), () => readError(error));
      }
    }
  }

  async #compareAndSet(key: string, expected: Revision, operation: IRequestOp, valueBytes: number): Promise<ITxnResponse> {
    const keyBytes = Buffer.from(key);
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#etcd.kv.txn({
          compare: [{ key: keyBytes, target: 'Mod', result: 'Equal', mod_revision: expected }],
          success: [operation],
          failure: [{ request_range: { key: keyBytes } }],
        });
      } catch (error) {
        if (error instanceof EtcdLeaseInvalidError) throw error;
        await this.#beforeRetry(attempt, isNotDone(error), () => writeError(error, valueBytes));
      }
    }
  }

  async #beforeRetry(attempt: number, isWorth: boolean, error: () => Error): Promise<void> {
    const delayMs = readRetryDelaysMs[attempt];
    if (!isWorth || delayMs === undefined || this.#closed.signal.aborted) throw error();
    if (delayMs > 0) await this.#clock.sleep(delayMs);
  }

  async #withLease(ttlSeconds: number, put: (lease: string) => Promise<ITxnResponse>): Promise<ITxnResponse> {
    for (let attempt = 0; ; attempt++) {
      const lease = await this.#leases.leaseFor(ttlSeconds).catch((error: unknown) => {
        throw new StoreUnavailableError(error);
      });
      try {
        return await put(lease);
      } catch (error) {
        if (!(error instanceof EtcdLeaseInvalidError) || attempt > 1) throw error;
        await this.#leases.drop(ttlSeconds, lease);
      }
    }
  }
}

const at = (revision: Revision | undefined): { revision?: Revision } => (revision === undefined ? {} : { revision });

function lost(key: string, response: ITxnResponse): WriteResult {
  const kv = response.responses[0]?.response_range.kvs[0];
  return { outcome: 'lost', current: kv && toEntry(kv, key), revision: Number(response.header.revision) };
}

/** The first key behind `after`, or the prefix itself. etcd takes no empty key: the lowest is one zero byte. */
function startOf(prefix: string, after: string | undefined): Buffer {
  if (after !== undefined && compareKeys(after, prefix) >= 0) return Buffer.from(`${after}\0`);
  return prefix === '' ? Buffer.from([0]) : Buffer.from(prefix);
}

/** The first key that no longer begins with `prefix`; a zero byte stands for the end of the key space. */
function endOfPrefix(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  for (let i = end.length - 1; i >= 0; i--) {
    const byte = end[i] as number;
    if (byte < 0xff) {
      end[i] = byte + 1;
      return end.subarray(0, i + 1);
    }
  }
  return Buffer.from([0]);
}
