import { type Clock, childSignal, type Logger, supervise } from '@skiff/component-base';
import { type Change, CompactedError, type Entry, type Revision, type RevisionedStore } from '@skiff/storage';
import type { EventWindowLimits } from './event-window.ts';
import { ResourceCache } from './resource-cache.ts';
import { RevisionProbe } from './revision-probe.ts';
import type { StoredEntry } from './stored-entry.ts';

export interface LogFollowerConfig {
  /** `/registry/`: keys elsewhere only move the revision. */
  readonly root: string;
  readonly pageSize?: number;
  readonly windowLimits?: EventWindowLimits;
}

/** Makes the forms of a value that is too heavy to be looked at in one go, by slot; undefined: it isn't. */
export type PrepareForms = (cache: ResourceCache, key: string, value: Buffer) => Promise<StoredEntry['forms']> | undefined;

/**
 * Follows one store with one watch over its whole key space, so that the applied revision is exact: every write of the store is an
 * event here. Demultiplexes by storage prefix into the caches.
 *
 *     loading ──▶ following ──(compacted)──▶ loading, and the watches of all caches end with 410
 */
export class LogFollower {
  readonly store: RevisionedStore;
  readonly #config: LogFollowerConfig;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #caches = new Map<string, ResourceCache>();
  /** Entries of resources that nobody serves (yet). */
  readonly #unclaimed = new Map<string, Entry>();
  readonly #probe: RevisionProbe;
  readonly #prepare: PrepareForms | undefined;
  #waiting: { revision: Revision; done: () => void }[] = [];
  #applied: Revision = 0;

  constructor(config: LogFollowerConfig, deps: { store: RevisionedStore; clock: Clock; log: Logger; prepare?: PrepareForms }) {
    this.store = deps.store;
    this.#config = config;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#prepare = deps.prepare;
    this.#probe = new RevisionProbe(() => this.store.currentRevision());
  }

  /** Everything at or below this revision is in the caches. 0: not loaded yet. */
  get appliedRevision(): Revision {
    return this.#applied;
  }

  /** The cache of the keys below `prefix` (which ends in `/`); made on first use, at any time. */
  cache(prefix: string): ResourceCache {
    let cache = this.#caches.get(prefix);
    if (cache === undefined) {
      const limits = this.#config.windowLimits;
      cache = new ResourceCache(prefix, this.#applied, {
        now: () => this.#clock.monotonicMs(),
        ...(limits === undefined ? {} : { limits }),
      });
      this.#caches.set(prefix, cache);
      const claimed = [...this.#unclaimed.values()].filter((e) => e.key.startsWith(prefix)).sort((a, b) => (a.key < b.key ? -1 : 1));
      for (const entry of claimed) this.#unclaimed.delete(entry.key);
      if (claimed.length > 0) cache.load(claimed, this.#applied);
    }
    return cache;
  }

  /** Resolves true once `revision` is applied, false after `timeoutMs`. */
  async waitFor(revision: Revision, timeoutMs: number): Promise<boolean> {
    if (this.#applied >= revision && this.#applied > 0) return true;
    return await new Promise<boolean>((resolve) => {
      const waiter = {
        revision,
        done: () => {
          timer[Symbol.dispose]();
          resolve(true);
        },
      };
      const timer = this.#clock.after(timeoutMs, () => {
        this.#waiting = this.#waiting.filter((w) => w !== waiter);
        resolve(false);
      });
      this.#waiting.push(waiter);
    });
  }

  /** A revision at least as new as every write acknowledged before the call; shared with concurrent callers. */
  probeRevision(): Promise<Revision> {
    return this.#probe.next();
  }

  /**
   * For reads that must see every write acknowledged before the call. Resolves true when the caches do; false when they are still
   * behind after `timeoutMs` or not loaded: read from the store then. Rejects when the store does not answer.
   */
  async confirm(timeoutMs = 3000): Promise<boolean> {
    const revision = await this.#probe.next();
    return this.#applied > 0 && (this.#applied >= revision || (await this.waitFor(revision, timeoutMs)));
  }

  /** Loads and follows until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await supervise('log-follower', (s) => this.#loadAndFollow(s), {
      signal,
      clock: this.#clock,
      log: this.#log,
      backoff: { initialMs: 100, maxMs: 2000, jitter: 0.2 },
    });
  }

  async #loadAndFollow(signal: AbortSignal): Promise<void> {
    for (;;) {
      const watching = childSignal(signal);
      try {
        if (this.#applied === 0) await this.#load();
        for await (const batch of this.store.watch('', { after: this.#applied, signal: watching.signal })) {
          // All of them before the first is applied: nobody may see half a batch.
          const heavy = this.#formsOf(batch.changes);
          const forms = heavy === undefined ? undefined : await heavy;
          for (const change of batch.changes) {
            const cache = this.#cacheOf(change.key);
            if (cache !== undefined) cache.apply(change, forms?.get(change));
            else if (change.type === 'delete') this.#unclaimed.delete(change.key);
            else if (change.value !== undefined && change.key.startsWith(this.#config.root)) {
              this.#unclaimed.set(change.key, { key: change.key, value: change.value, revision: change.revision });
            }
          }
          this.#advance(batch.appliedRevision, batch.changes.length > 0);
        }
        return;
      } catch (error) {
        if (!(error instanceof CompactedError)) throw error;
        this.#log.warn({ applied: this.#applied, compacted: error.compactedRevision }, 'history is compacted; reading everything anew');
        await this.#load();
      } finally {
        watching.abort();
        watching[Symbol.dispose]();
      }
    }
  }

  /** Forms of heavy values; undefined where there are none, as nearly always. */
  #formsOf(changes: readonly Change[]): Promise<ReadonlyMap<Change, StoredEntry['forms']>> | undefined {
    if (this.#prepare === undefined) return undefined;
    let found: Promise<readonly [Change, StoredEntry['forms']]>[] | undefined;
    for (const change of changes) {
      const cache = change.value === undefined ? undefined : this.#cacheOf(change.key);
      const forms = cache && change.value && this.#prepare(cache, change.key, change.value);
      if (forms !== undefined) (found ??= []).push(forms.then((f) => [change, f] as const));
    }
    return found && Promise.all(found).then((pairs) => new Map(pairs));
  }

  #advance(revision: Revision, changed: boolean): void {
    if (revision > this.#applied) this.#applied = revision;
    if (changed) for (const cache of this.#caches.values()) cache.flush(this.#applied);
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter((w) => w.revision <= this.#applied);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter((w) => w.revision > this.#applied);
    for (const waiter of ready) waiter.done();
  }

  /** Reads every key below the root at one revision, page by page. */
  async #load(): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    const limit = this.#config.pageSize ?? 500;
    let page = await this.store.list(this.#config.root, { limit });
    const at = page.revision;
    const byCache = new Map<ResourceCache, Entry[]>([...this.#caches.values()].map((c) => [c, []]));
    const unclaimed: Entry[] = [];
    let count = 0;
    for (;;) {
      for (const entry of page.entries) {
        const cache = this.#cacheOf(entry.key);
        (cache === undefined ? unclaimed : byCache.get(cache))?.push(entry);
      }
      count += page.entries.length;
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) break;
      page = await this.store.list(this.#config.root, { at, after: last.key, limit });
    }
    // Caches that came while the pages were read get what they missed from the unclaimed.
    this.#unclaimed.clear();
    for (const entry of unclaimed) {
      const cache = this.#cacheOf(entry.key);
      if (cache === undefined) this.#unclaimed.set(entry.key, entry);
      else byCache.set(cache, [...(byCache.get(cache) ?? []), entry]);
    }
    for (const [cache, entries] of byCache) cache.load(entries, at);
    this.#log.debug({ revision: at, objects: count, ms: Math.round(this.#clock.monotonicMs() - startedMs) }, 'state loaded');
    this.#advance(at, false);
  }

  /** Prefixes have one or two segments below the root (`pods/`, `services/specs/`). */
  #cacheOf(key: string): ResourceCache | undefined {
    const { root } = this.#config;
    if (!key.startsWith(root)) return undefined;
    const first = key.indexOf('/', root.length);
    if (first < 0) return undefined;
    const cache = this.#caches.get(key.slice(0, first + 1));
    if (cache !== undefined) return cache;
    const second = key.indexOf('/', first + 1);
    return second < 0 ? undefined : this.#caches.get(key.slice(0, second + 1));
  }
}
