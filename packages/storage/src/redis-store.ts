import { silentLogger, systemClock, type Clock, type Logger } from '@skiff/component-base';
import {
  type Change,
  type ChangeBatch,
  CompactedError,
  type Entry,
  FutureRevisionError,
  type Guard,
  type Revision,
  type RevisionedStore,
  StoreUnavailableError,
  ValueTooLargeError,
  type WriteResult,
} from './contract.ts';
import { compareKeys } from './key-order.ts';
import { ownCopy } from './own-copy.ts';
import { type Reply, RedisConnection, type RedisStoreConfig } from './redis-connection.ts';

const pageSize = 500;
const logPage = 500;
const sweepBatch = 200;
const sweepMs = { min: 250, max: 30_000 };
const watchBackoffMs = { initial: 50, max: 2_000 };

/**
 * A RevisionedStore in Redis 6.2 or later, for what may be lost: whatever Redis loses, revisions never go back and watches end with
 * CompactedError. Connects on first use.
 */
export function createRedisStore(config: RedisStoreConfig, deps: { clock?: Clock; log?: Logger } = {}): RevisionedStore {
  return new RedisStore(config, deps.clock ?? systemClock, deps.log ?? silentLogger);
}

class RedisStore implements RevisionedStore {
  readonly #config: RedisStoreConfig;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #connection: RedisConnection;
  #sweep: Disposable | undefined;
  #closed = false;

  constructor(config: RedisStoreConfig, clock: Clock, log: Logger) {
    this.#config = config;
    this.#clock = clock;
    this.#log = log;
    this.#connection = new RedisConnection(config);
  }

  async get(key: string, o: { at?: Revision } = {}): Promise<{ entry: Entry | undefined; revision: Revision }> {
    const [revision, compacted, mod, value] = await this.#run('get', [key]);
    const now = toNumber(revision);
    const current = toEntry(key, mod, value);
    if (o.at === undefined || o.at === now) return { entry: current, revision: now };
    checkHistory(o.at, now, toNumber(compacted));
    const changed = (await this.#changesBetween(o.at, now, (k) => k === key)).get(key);
    return { entry: changed === undefined ? current : changed.before, revision: now };
  }

  async list(
    prefix: string,
    o: { at?: Revision; after?: string; limit?: number } = {},
  ): Promise<{ entries: readonly Entry[]; revision: Revision; more: boolean; count: number }> {
    const limit = o.limit ?? Infinity;
    const entries: Entry[] = [];
    let count: number | undefined;
    let at = o.at;
    let after = o.after;
    for (;;) {
      const page = await this.#listPage(prefix, at, after, Math.min(limit - entries.length, pageSize));
      entries.push(...page.entries);
      count ??= page.count;
      at ??= page.revision;
      after = entries.at(-1)?.key;
      if (!page.more || entries.length >= limit) return { entries, revision: at, more: page.more, count };
    }
  }

  /**
   * A page of the past is a page of the present, corrected by what the log says has changed since. `extra` keys are fetched in place
   * of those that came later.
   */
  async #listPage(
    prefix: string,
    at: Revision | undefined,
    after: string | undefined,
    limit: number,
  ): Promise<{ entries: Entry[]; revision: Revision; more: boolean; count: number }> {
    const isIn = (key: string): boolean => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0);
    for (let extra = 0; ; ) {
      const [revision, compacted, all, found] = await this.#run('list', [...lexRange(prefix, after), limit + extra]);
      const now = toNumber(revision);
      const total = Number(all);
      const entries = (found as Reply[][]).map(([key, mod, value]) => toEntry(String(key), mod, value) as Entry);
      const hasMore = total > entries.length;
      if (at === undefined || at === now) return { entries, revision: now, more: hasMore, count: total };
      checkHistory(at, now, toNumber(compacted));
      const changed = await this.#changesBetween(at, now, isIn);
      const created = [...changed.values()].filter((c) => c.before === undefined && c.existsNow).length;
      if (created > extra && hasMore) {
        extra = created;
        continue;
      }
      const lastKey = hasMore ? entries.at(-1)?.key : undefined;
      const past = entries.filter((entry) => !changed.has(entry.key));
      let count = total;
      for (const { before, existsNow } of changed.values()) {
        count += (before === undefined ? 0 : 1) - (existsNow ? 1 : 0);
        if (before !== undefined && (lastKey === undefined || compareKeys(before.key, lastKey) <= 0)) past.push(before);
      }
      past.sort((a, b) => compareKeys(a.key, b.key));
      return { entries: past.slice(0, limit), revision: at, more: count > limit, count };
    }
  }

  async put(key: string, value: Uint8Array, o: { expected: Revision; ttlSeconds?: number; guard?: Guard }): Promise<WriteResult> {
    if (o.guard !== undefined) throw new TypeError('what expires takes no guards');
    if (value.byteLength > (this.#config.maxValueBytes ?? 1_572_864)) throw new ValueTooLargeError(value.byteLength);
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const ttlMs = o.ttlSeconds === undefined ? '' : o.ttlSeconds * 1000;
    const reply = await this.#run('put', [key, o.expected, bytes, ttlMs], 'write');
    if (o.ttlSeconds !== undefined) this.#sweepIn(o.ttlSeconds * 1000);
    return toWriteResult(key, reply);
  }

  async delete(key: string, o: { expected: Revision; guard?: Guard }): Promise<WriteResult> {
    if (o.guard !== undefined) throw new TypeError('what expires takes no guards');
    return toWriteResult(key, await this.#run('del', [key, o.expected], 'write'));
  }

  async currentRevision(): Promise<Revision> {
    const [revision] = await this.#run('get', ['']);
    return toNumber(revision);
  }

  async *watch(prefix: string, o: { after: Revision; signal: AbortSignal }): AsyncGenerator<ChangeBatch> {
    // Its own connection: waiting blocks it.
    const connection = new RedisConnection(this.#config);
    let applied = o.after;
    let delayMs = watchBackoffMs.initial;
    try {
      while (!o.signal.aborted) {
        if (this.#closed) throw new StoreUnavailableError(new Error('closed'));
        try {
          const { changes, revision, compacted } = await readLog(connection, applied);
          if (applied < compacted || applied > revision) throw new CompactedError(compacted);
          delayMs = watchBackoffMs.initial;
          if (changes.length === 0) {
            await connection.waitForLog(applied, o.signal);
            continue;
          }
          applied = (changes.at(-1) as Change).revision;
          yield { changes: changes.filter((c) => c.key.startsWith(prefix)), appliedRevision: applied };
        } catch (error) {
          if (!(error instanceof StoreUnavailableError)) throw error;
          this.#log.debug({ err: error, after: applied }, 'watch was cut; resuming');
          await this.#clock.sleep(delayMs * (1 + Math.random() / 2), o.signal).catch(() => undefined);
          delayMs = Math.min(delayMs * 2, watchBackoffMs.max);
        }
      }
    } finally {
      connection.close();
    }
  }

  async compact(upTo: Revision): Promise<void> {
    const [revision] = await this.#run('compact', [upTo], 'write');
    if (upTo > toNumber(revision)) throw new FutureRevisionError(toNumber(revision));
  }

  async compactedRevision(): Promise<Revision> {
    const [, compacted] = await this.#run('get', ['']);
    return toNumber(compacted);
  }

  async ping(): Promise<void> {
    await this.currentRevision();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#sweep?.[Symbol.dispose]();
    this.#connection.close();
  }

  async #run(name: Parameters<RedisConnection['run']>[0], args: Parameters<RedisConnection['run']>[1], kind: 'read' | 'write' = 'read') {
    return (await this.#connection.run(name, args, kind)) as readonly Reply[];
  }

  /** For each key that changed in (after, upTo]: what it was at `after`, and whether it is there at `upTo`. */
  async #changesBetween(
    after: Revision,
    upTo: Revision,
    wanted: (key: string) => boolean,
  ): Promise<Map<string, { readonly before: Entry | undefined; existsNow: boolean }>> {
    const changed = new Map<string, { readonly before: Entry | undefined; existsNow: boolean }>();
    for (let position = after; position < upTo; ) {
      const { changes, revision, compacted } = await readLog(this.#connection, position);
      checkHistory(position, revision, compacted);
      for (const change of changes) {
        if (change.revision > upTo || !wanted(change.key)) continue;
        const seen = changed.get(change.key);
        if (seen === undefined) changed.set(change.key, { before: change.previous, existsNow: change.type === 'put' });
        else seen.existsNow = change.type === 'put';
      }
      position = changes.at(-1)?.revision ?? upTo;
    }
    return changed;
  }

  /** Every open store sweeps, so that nothing lives on because another process went away. */
  #sweepIn(delayMs: number): void {
    if (this.#sweep !== undefined || this.#closed) return;
    this.#sweep = this.#clock.after(Math.min(Math.max(delayMs, sweepMs.min), sweepMs.max), () => {
      this.#sweep = undefined;
      this.#connection.run('sweep', [sweepBatch], 'read').then(
        (next) => this.#sweepIn(Number(next) < 0 ? sweepMs.max : Number(next)),
        (error: unknown) => {
          this.#log.warn({ err: error }, 'sweeping expired keys failed; trying again');
          this.#sweepIn(sweepMs.max);
        },
      );
    });
  }
}

async function readLog(
  connection: RedisConnection,
  after: Revision,
): Promise<{ changes: Change[]; revision: Revision; compacted: Revision }> {
  const [revision, compacted, records] = (await connection.run('read', [after, logPage], 'read')) as [Buffer, Buffer, [Buffer, Buffer[]][]];
  return { changes: records.map(toChange), revision: toNumber(revision), compacted: toNumber(compacted) };
}

function toChange([id, fields]: [Buffer, Buffer[]]): Change {
  const [, operation, , keyBytes, , value, , previousRevision, , previousValue] = fields;
  const key = String(keyBytes);
  const previous = toEntry(key, previousRevision, previousValue);
  const isPut = String(operation) === 'p';
  return {
    type: isPut ? 'put' : 'delete',
    key,
    revision: Number.parseInt(id.toString('latin1'), 10),
    ...(isPut && { value: ownCopy(value as Buffer) }),
    ...(previous && { previous }),
  };
}

function toWriteResult(key: string, [outcome, revision, mod, value]: readonly Reply[]): WriteResult {
  const entry = toEntry(key, mod, value);
  if (String(outcome) === 'lost') return { outcome: 'lost', current: entry, revision: toNumber(revision) };
  return { outcome: 'committed', revision: toNumber(revision), ...(entry && { previous: entry }) };
}

const toNumber = (reply: Reply | undefined): number => Number(String(reply));

const toEntry = (key: string, revision: Reply | undefined, value: Reply | undefined): Entry | undefined =>
  revision instanceof Buffer && value instanceof Buffer ? { key, value: ownCopy(value), revision: toNumber(revision) } : undefined;

function checkHistory(at: Revision, current: Revision, compacted: Revision): void {
  if (at > current) throw new FutureRevisionError(current);
  if (at < compacted) throw new CompactedError(compacted);
}

/** Bounds for ZRANGEBYLEX. No byte of UTF-8 is 0xff, so prefix + 0xff is behind all that begins with the prefix. */
function lexRange(prefix: string, after: string | undefined): readonly [Buffer, Buffer] {
  const from = after !== undefined && compareKeys(after, prefix) >= 0 ? Buffer.from(`(${after}`) : Buffer.from(`[${prefix}`);
  return [from, Buffer.concat([Buffer.from(`(${prefix}`), Buffer.from([0xff])])];
}
