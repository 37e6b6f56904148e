import { silentLogger, systemClock, type Clock, type Logger } from '@skiff/component-base';
import type { Etcd3 } from 'etcd3';
import {
  type ChangeBatch,
  CompactedError,
  type Entry,
  FutureRevisionError,
  type Revision,
  type DurableStore,
  type Guard,
  StoreUnavailableError,
  type WriteResult,
} from './contract.ts';
import { createEtcdClient, type EtcdStoreConfig } from './etcd-client.ts';
import { encodeMemberList, memberListField, memberListPath, readMembers, encodeStatus, readStatus, statusPath } from './etcd-cluster.ts';
import { isCompacted, isFuture, isLeaseGone, isMemberUseless, isNotDone, isWorthRetry, readError, writeError } from './etcd-errors.ts';
import { SharedLeases } from './etcd-leases.ts';
import {
  decodeCompareAndSet,
  decodeRange,
  encodeCompaction,
  encodeCompareAndSet,
  encodeRange,
  type CompareAndSet,
  type CompareAndSetResponse,
  type RangeRequest,
  type RangeResponse,
} from './etcd-messages.ts';
import { EtcdCallError, EtcdRpc, grpcCode } from './etcd-rpc.ts';
import { holdKey } from './etcd-hold.ts';
import { followStream, toEntry } from './etcd-watch.ts';
import { compareKeys } from './key-order.ts';

/** What was compacted up to, in decimal. Not compact_rev_key: there upstream, and our compactor, keep what is to be compacted next. */
const compactedKey = Buffer.from('skiff_compacted_revision');
const rangePath = '/etcdserverpb.KV/Range';
const pageSize = 500;
const retryDelaysMs = [0, 50, 200, 500];
/** With other members there will soon be a leader again: an election takes a second or two. */
const electionRetryDelaysMs = [...retryDelaysMs, 1_000, 1_500];
/** A call that took this long with its retries is not tried again: who asked waits for an answer. */
const retryWithinMs = 4_000;
const memberRefreshMs = 30_000;
const watchBackoffMs = { initial: 50, max: 2_000 };

/** A RevisionedStore in etcd 3.4 or later. Connects on first use. */
export function createEtcdStore(config: EtcdStoreConfig, deps: { clock?: Clock; log?: Logger } = {}): DurableStore {
  return new EtcdStore(config, deps.clock ?? systemClock, deps.log ?? silentLogger);
}

class EtcdStore implements DurableStore {
  readonly #config: EtcdStoreConfig;
  #etcd: Promise<Etcd3> | undefined;
  readonly #calls: EtcdRpc;
  /** Sessions of their own: a watch that is read slowly must not hold up calls. */
  readonly #watches: EtcdRpc;
  #token: Promise<string> | undefined;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #leases: SharedLeases;
  readonly #closed = new AbortController();
  #compacted: Revision = 0;
  #nextRefreshMs = 0;

  constructor(config: EtcdStoreConfig, clock: Clock, log: Logger) {
    this.#config = config;
    const token = config.auth && (() => (this.#token ??= this.#authenticate()));
    this.#calls = new EtcdRpc(config, token);
    this.#watches = new EtcdRpc(config, token);
    this.#clock = clock;
    this.#log = log;
    this.#leases = new SharedLeases(() => this.#client(), clock);
  }

  #client(): Promise<Etcd3> {
    this.#etcd ??= createEtcdClient(this.#config);
    return this.#etcd;
  }

  async #authenticate(): Promise<string> {
    const { username = '', password = '' } = this.#config.auth ?? {};
    try {
      const etcd = await this.#client();
      return (await etcd.auth.authenticate({ name: username, password })).token;
    } catch (error) {
      this.#token = undefined;
      throw new EtcdCallError(grpcCode.unavailable, `no auth token from etcd: ${String(error)}`, { isNotSent: true, cause: error });
    }
  }

  async get(key: string, o: { at?: Revision } = {}): Promise<{ entry: Entry | undefined; revision: Revision }> {
    const response = await this.#range({ key: Buffer.from(key), ...at(o.at) });
    const kv = response.kvs[0];
    return { entry: kv && toEntry(kv, key), revision: response.revision };
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
        rangeEnd,
        limit: Math.min(limit - entries.length, pageSize),
        ...at(revision),
      });
      for (const kv of response.kvs) entries.push(toEntry(kv));
      revision ??= response.revision;
      count ??= response.count;
      if (!response.more || entries.length >= limit) return { entries, revision, more: response.more, count };
      last = entries.at(-1)?.key;
    }
  }

  async put(key: string, value: Uint8Array, o: { expected: Revision; ttlSeconds?: number; guard?: Guard }): Promise<WriteResult> {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const put = (lease?: string): Promise<CompareAndSetResponse> =>
      this.#compareAndSet({ key: Buffer.from(key), expected: o.expected, ...guardOf(o), value: bytes, ...(lease && { lease }) });
    const response = o.ttlSeconds === undefined ? await put() : await this.#withLease(o.ttlSeconds, put);
    return response.succeeded ? { outcome: 'committed', revision: response.revision } : lost(key, response);
  }

  async delete(key: string, o: { expected: Revision; guard?: Guard }): Promise<WriteResult> {
    if (o.expected === 0) {
      const { entry, revision } = await this.get(key);
      return { outcome: 'lost', current: entry, revision };
    }
    const response = await this.#compareAndSet({ key: Buffer.from(key), expected: o.expected, ...guardOf(o) });
    if (!response.succeeded) return lost(key, response);
    return { outcome: 'committed', revision: response.revision, ...(response.kv && { previous: toEntry(response.kv, key) }) };
  }

  hold(key: string, value: Uint8Array, o: { ttlSeconds: number; signal: AbortSignal }): Promise<void> {
    return holdKey({ key, value: Buffer.from(value), ...o }, { rpc: this.#calls, store: this, clock: this.#clock, log: this.#log });
  }

  /** A put under a lease of the caller's, whatever is there. */
  async putUnderLease(key: string, value: Buffer, lease: number): Promise<void> {
    let { entry } = await this.get(key);
    for (;;) {
      const response = await this.#compareAndSet({ key: Buffer.from(key), expected: entry?.revision ?? 0, value, lease: String(lease) });
      if (response.succeeded) return;
      entry = response.kv && toEntry(response.kv, key);
    }
  }

  async currentRevision(): Promise<Revision> {
    const response = await this.#range({ key: compactedKey, countOnly: true });
    return response.revision;
  }

  async *watch(prefix: string, o: { after: Revision; signal: AbortSignal }): AsyncGenerator<ChangeBatch> {
    let applied = o.after;
    let delayMs = watchBackoffMs.initial;
    const source = { rpc: this.#watches, verifyHistory: (after: Revision) => this.#verifyHistory(after) };
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
        // It may have been an auth token that is no longer good.
        this.#token = undefined;
        if (isMemberUseless(error)) this.#leaveMember();
        this.#log.debug({ err: error, after: applied }, 'watch was cut; resuming');
        await this.#clock.sleep(delayMs * (1 + Math.random() / 2), o.signal).catch(() => undefined);
        delayMs = Math.min(delayMs * 2, watchBackoffMs.max);
      }
    }
  }

  async compact(upTo: Revision): Promise<void> {
    for (;;) {
      const response = await this.#range({ key: compactedKey });
      const current = response.kvs[0];
      const { revision } = response;
      if (upTo > revision) throw new FutureRevisionError(revision);
      this.#compacted = Math.max(this.#compacted, Number(current?.value.toString() ?? 0));
      if (upTo <= this.#compacted) return;
      // The mark comes first: whoever starts a watch must not find the history gone and no mark.
      const mark = { key: compactedKey, expected: current?.modRevision ?? 0, value: Buffer.from(String(upTo)) };
      const marked = await this.#compareAndSet(mark);
      if (marked.succeeded) break;
    }
    try {
      await this.#calls.unary('/etcdserverpb.KV/Compact', encodeCompaction(upTo));
    } catch (error) {
      if (!isCompacted(error)) throw writeError(error, 0);
    }
    this.#compacted = Math.max(this.#compacted, upTo);
  }

  async compactedRevision(): Promise<Revision> {
    const response = await this.#range({ key: compactedKey });
    this.#compacted = Math.max(this.#compacted, Number(response.kvs[0]?.value.toString() ?? 0));
    return this.#compacted;
  }

  async ping(): Promise<void> {
    await this.currentRevision();
  }

  async databaseBytes(): Promise<number> {
    return readStatus(await this.#calls.unary(statusPath, encodeStatus())).dbBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    this.#calls.close();
    this.#watches.close();
    (await this.#etcd)?.close();
  }

  /** A read at a revision below the compacted one is refused, which tells exactly whether all above `after` is still there. */
  async #verifyHistory(after: Revision): Promise<void> {
    if (after === 0) return;
    try {
      await this.#range({ key: compactedKey, countOnly: true, revision: after });
    } catch (error) {
      if (error instanceof FutureRevisionError) throw new CompactedError(error.currentRevision);
      throw error;
    }
  }

  #leaveMember(): void {
    this.#calls.leave();
    this.#watches.leave();
  }

  /** Members come and go while this process runs. Looked at now and then, by calls that are made anyway. */
  #refreshMembers(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextRefreshMs) return;
    this.#nextRefreshMs = nowMs + memberRefreshMs;
    const learn = (answer: Buffer): void => {
      const urls = readMembers(answer, memberListField).flatMap((m) => (m.isLearner ? [] : m.clientUrls));
      // What a member calls its loopback is not ours.
      const others = urls.filter((url) => !/^https?:\/\/(?:127\.|localhost|\[::1\])/.test(url));
      this.#calls.learn(others);
      this.#watches.learn(others);
    };
    this.#calls.unary(memberListPath, encodeMemberList()).then(learn, (error: unknown) => {
      this.#log.debug({ err: error }, 'the members of etcd could not be listed');
    });
    // A read that a majority has to confirm: a member that is cut off, or follows only, doesn't answer it.
    const read = encodeRange({ key: compactedKey, countOnly: true });
    const home = [this.#calls.returnHome(rangePath, read, { cut: false }), this.#watches.returnHome(rangePath, read, { cut: true })];
    Promise.all(home).catch((error: unknown) => {
      this.#log.debug({ err: error }, 'the first member of etcd is not back');
    });
  }

  async #range(request: RangeRequest): Promise<RangeResponse> {
    this.#refreshMembers();
    const frame = encodeRange(request);
    const startedMs = this.#clock.monotonicMs();
    for (let attempt = 0; ; attempt++) {
      try {
        return decodeRange(await this.#calls.unary(rangePath, frame));
      } catch (error) {
        if (isCompacted(error)) throw new CompactedError(Math.max(await this.compactedRevision(), (request.revision ?? 0) + 1));
        if (isFuture(error)) throw new FutureRevisionError(await this.currentRevision());
        await this.#beforeRetry(attempt, error, { isWorth: isWorthRetry(error), startedMs, as: readError });
      }
    }
  }

  async #compareAndSet(request: CompareAndSet): Promise<CompareAndSetResponse> {
    const frame = encodeCompareAndSet(request);
    const startedMs = this.#clock.monotonicMs();
    for (let attempt = 0; ; attempt++) {
      try {
        return decodeCompareAndSet(await this.#calls.unary('/etcdserverpb.KV/Txn', frame));
      } catch (error) {
        if (isLeaseGone(error)) throw error;
        await this.#beforeRetry(attempt, error, {
          isWorth: isNotDone(error),
          startedMs,
          as: (e) => writeError(e, request.value?.length ?? 0),
        });
      }
    }
  }

  async #beforeRetry(
    attempt: number,
    error: unknown,
    o: { isWorth: boolean; startedMs: number; as: (error: unknown) => Error },
  ): Promise<void> {
    if (error instanceof EtcdCallError && error.code === grpcCode.unauthenticated) this.#token = undefined;
    if (isMemberUseless(error)) this.#leaveMember();
    const delayMs = (this.#calls.hasOthers ? electionRetryDelaysMs : retryDelaysMs)[attempt];
    const isLate = this.#clock.monotonicMs() - o.startedMs > retryWithinMs;
    if (!o.isWorth || isLate || delayMs === undefined || this.#closed.signal.aborted) throw o.as(error);
    if (delayMs > 0) await this.#clock.sleep(delayMs);
  }

  async #withLease(ttlSeconds: number, put: (lease: string) => Promise<CompareAndSetResponse>): Promise<CompareAndSetResponse> {
    for (let attempt = 0; ; attempt++) {
      const lease = await this.#leases.leaseFor(ttlSeconds).catch((error: unknown) => {
        throw new StoreUnavailableError(error);
      });
      try {
        return await put(lease);
      } catch (error) {
        if (!isLeaseGone(error) || attempt > 1) throw error;
        await this.#leases.drop(ttlSeconds, lease);
      }
    }
  }
}

const at = (revision: Revision | undefined): { revision?: Revision } => (revision === undefined ? {} : { revision });

const guardOf = ({ guard }: { guard?: Guard }): Pick<CompareAndSet, 'guard'> =>
  guard === undefined ? {} : { guard: { key: Buffer.from(guard.key), expected: guard.revision } };

const lost = (key: string, { kv, revision }: CompareAndSetResponse): WriteResult => ({
  outcome: 'lost',
  current: kv && toEntry(kv, key),
  revision,
});

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
