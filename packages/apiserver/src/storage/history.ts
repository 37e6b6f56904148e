import { setImmediate as turn } from 'node:timers/promises';
import { CompactedError, type Entry, type Revision } from '@skiff/storage';
import type { LogFollower } from './log-follower.ts';
import type { ResourceCache } from './resource-cache.ts';
import { SortedEntries } from './sorted-entries.ts';
import type { StoredEntry } from './stored-entry.ts';

const maxKept = 32;
const keptMs = 5 * 60_000;
/** Longer than any history lasts. */
const knownMs = 15 * 60_000;
const maxKnown = 256;
const undoSlice = 2000;
const pageSize = 1000;

/**
 * The state of a resource at past revisions, for `continue` and exact lists. Recent states are the current one with the window's events
 * undone, by reference; older ones are read from the store. What was handed out with a continue token is kept for five minutes.
 */
export class History {
  readonly #cache: ResourceCache;
  readonly #follower: LogFollower;
  readonly #now: () => number;
  readonly #kept = new Map<Revision, { entries: SortedEntries<StoredEntry> | undefined; readonly untilMs: number }>();

  constructor(cache: ResourceCache, follower: LogFollower, now: () => number) {
    this.#cache = cache;
    this.#follower = follower;
    this.#now = now;
  }

  /**
   * Remembers a state that will probably be asked for again. Asking does not prolong it, nor does it begin anew: a continue token has to
   * expire some day. So that a state was kept is known for longer than the state.
   */
  keep(revision: Revision, entries: SortedEntries<StoredEntry>): void {
    const now = this.#now();
    if (!this.#kept.has(revision)) this.#kept.set(revision, { entries, untilMs: now + keptMs });
    let alive = 0;
    for (const kept of this.#kept.values()) if (kept.entries !== undefined) alive++;
    for (const [old, kept] of this.#kept) {
      if (kept.entries !== undefined && (kept.untilMs <= now || alive > maxKept)) {
        kept.entries = undefined;
        alive--;
      }
      if (kept.untilMs + knownMs <= now || this.#kept.size > maxKnown) this.#kept.delete(old);
    }
  }

  /** `revision` must not be ahead of the applied one. Throws CompactedError when it is forgotten. */
  async at(revision: Revision): Promise<SortedEntries<StoredEntry>> {
    const kept = this.#kept.get(revision);
    if (kept?.entries !== undefined && kept.untilMs > this.#now()) return kept.entries;
    // The window may still know it, but a token has to die with the history it stands for: clients that page slowly rely on being told.
    const compacted = await this.#follower.store.compactedRevision();
    if (revision < this.#follower.appliedRevision && revision <= compacted) throw new CompactedError(compacted);
    const { window } = this.#cache;
    let entries: SortedEntries<StoredEntry>;
    if (this.#follower.appliedRevision > 0 && revision >= window.start) {
      entries = this.#cache.entries;
      const events = window.since(revision);
      if (events.length === 0) return entries;
      for (let i = events.length - 1; i >= 0; i--) {
        const { current, previous } = events[i] as (typeof events)[number];
        if (previous !== undefined) entries = entries.with(previous);
        else if (current !== undefined) entries = entries.without(current.key);
        if (i % undoSlice === 0 && i > 0) await turn();
      }
    } else {
      entries = SortedEntries.from(await this.#read(revision));
    }
    this.keep(revision, entries);
    return entries;
  }

  /** The state as the store has it now, for when the cache lags. */
  async latest(): Promise<{ entries: SortedEntries<StoredEntry>; revision: Revision }> {
    const { store } = this.#follower;
    const first = await store.list(this.#cache.prefix, { limit: pageSize });
    const stored = first.entries.map((e) => this.#toStored(e));
    const last = first.entries.at(-1);
    if (first.more && last !== undefined) stored.push(...(await this.#read(first.revision, last.key)));
    return { entries: SortedEntries.from(stored), revision: first.revision };
  }

  async #read(at: Revision, after?: string): Promise<StoredEntry[]> {
    const out: StoredEntry[] = [];
    let last: Entry | undefined;
    let behind = after;
    for (;;) {
      const page = await this.#follower.store.list(this.#cache.prefix, {
        at,
        limit: pageSize,
        ...(behind === undefined ? {} : { after: behind }),
      });
      for (const entry of page.entries) out.push(this.#toStored(entry));
      last = page.entries.at(-1);
      if (!page.more || last === undefined) return out;
      behind = last.key;
    }
  }

  /** What the cache holds at the same revision stays the same entry, with what the views made of it. */
  #toStored(entry: Entry): StoredEntry {
    const current = this.#cache.entries.get(entry.key);
    return current?.revision === entry.revision ? current : this.#cache.toStored(entry);
  }
}
