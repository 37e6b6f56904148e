import type { Change, Entry, Revision } from '@skiff/storage';
import { type CacheEvent, EventWindow, type EventWindowLimits } from './event-window.ts';
import { splitKey } from './key-layout.ts';
import { SortedEntries } from './sorted-entries.ts';
import { createStoredEntry, type StoredEntry } from './stored-entry.ts';

/** Who follows a resource. Called synchronously, in the log's order; must not throw. */
export interface CacheListener {
  event(event: CacheEvent): void;
  /** A batch of the log is applied; `applied` is its revision. Called for every resource that had events in it. */
  flush?(applied: Revision): void;
  /** The history is gone and the state was read anew at `revision`; `changes` are the differences, in key order. */
  reset?(changes: readonly CacheEvent[], revision: Revision): void;
}

/**
 * The objects of one resource as of the applied revision, and its last events. Filled by the LogFollower only; the index is immutable
 * data, so that a reader that holds `entries` holds a snapshot.
 */
export class ResourceCache {
  readonly prefix: string;
  readonly window: EventWindow;
  readonly #now: () => number;
  readonly #listeners = new Set<CacheListener>();
  #entries = SortedEntries.empty<StoredEntry>();
  #dirty = false;

  constructor(prefix: string, start: Revision, o: { now: () => number; limits?: EventWindowLimits }) {
    this.prefix = prefix;
    this.window = new EventWindow(start, o.limits);
    this.#now = o.now;
  }

  get entries(): SortedEntries<StoredEntry> {
    return this.#entries;
  }

  subscribe(listener: CacheListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** An entry of the store as this cache keeps it; not added. */
  toStored(entry: Entry): StoredEntry {
    const { namespace, name } = splitKey(entry.key.slice(this.prefix.length));
    return createStoredEntry(entry, namespace, name);
  }

  apply(change: Change): void {
    const previous = this.#entries.get(change.key);
    let current: StoredEntry | undefined;
    if (change.type === 'put') {
      current = this.toStored({ key: change.key, value: change.value ?? Buffer.alloc(0), revision: change.revision });
      this.#entries = this.#entries.with(current);
    } else {
      if (previous === undefined) return;
      this.#entries = this.#entries.without(change.key);
    }
    const event: CacheEvent = { revision: change.revision, current, previous };
    this.window.push(event, this.#now());
    this.#dirty = true;
    for (const listener of this.#listeners) listener.event(event);
  }

  flush(applied: Revision): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    for (const listener of this.#listeners) listener.flush?.(applied);
  }

  /** The whole state as it was at `revision`, sorted by key. What did not change keeps its identity, and with it what views made of it. */
  load(sorted: readonly Entry[], revision: Revision): void {
    const old = this.#entries;
    const next: StoredEntry[] = [];
    const changes: CacheEvent[] = [];
    for (const entry of sorted) {
      const previous = old.get(entry.key);
      if (previous !== undefined && previous.revision === entry.revision) {
        next.push(previous);
        continue;
      }
      const current = this.toStored(entry);
      next.push(current);
      changes.push({ revision: entry.revision, current, previous });
    }
    const entries = SortedEntries.from(next);
    for (const previous of old.range('')) if (entries.get(previous.key) === undefined) changes.push({ revision, current: undefined, previous });
    this.#entries = entries;
    this.#dirty = false;
    this.window.reset(revision);
    for (const listener of this.#listeners) listener.reset?.(changes, revision);
  }
}
