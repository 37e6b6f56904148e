import type { Change, Entry, Revision } from '@skiff/storage';
import { type CacheEvent, EventWindow, type EventWindowLimits } from './event-window.ts';
import { isEncrypted } from '../encryption/transformers.ts';
import { splitKey } from './key-layout.ts';
import { SortedEntries } from './sorted-entries.ts';
import type { View } from './view.ts';
import { createStoredEntry, type ServedForm, type StoredEntry } from './stored-entry.ts';

/** Who follows a resource. Called synchronously, in the log's order; must not throw. */
export interface CacheListener {
  event(event: CacheEvent): void;
  /** A batch of the log is applied; `applied` is its revision. Called for every resource that had events in it. */
  flush?(applied: Revision): void;
  /** The history is gone and the state was read anew at `revision`; `changes` are the differences, in key order. */
  reset?(changes: readonly CacheEvent[], revision: Revision): void;
}

/** A write of this process on its way through the store and the log. */
export interface WriteExpectation {
  committed(entry: StoredEntry): void;
  lost(): void;
}

interface OwnWrite {
  readonly value: Buffer;
  readonly slot: number;
  readonly form: ServedForm | undefined;
  /** Known once the store has answered. */
  entry: StoredEntry | undefined;
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
  /** Changes that the log has brought. */
  eventsReceived = 0;
  /** Of all values together. */
  #bytes = 0;
  #dirty = false;
  /** By key, until the log brings the write: its form need not be made again. */
  readonly #own = new Map<string, OwnWrite>();
  /** Of the last event. */
  #lastRevision: Revision;

  constructor(prefix: string, start: Revision, o: { now: () => number; limits?: EventWindowLimits }) {
    this.prefix = prefix;
    this.window = new EventWindow(start, o.limits);
    this.#now = o.now;
    this.#lastRevision = start;
  }

  /** Views of what is here. */
  readonly views: View[] = [];

  get entries(): SortedEntries<StoredEntry> {
    return this.#entries;
  }

  /** Bytes of all stored values together. */
  get bytes(): number {
    return this.#bytes;
  }

  subscribe(listener: CacheListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** The newest entry this process knows of: its own committed write, where the log has not brought it yet, else the applied one. */
  newest(key: string): StoredEntry | undefined {
    const applied = this.#entries.get(key);
    const own = this.#own.get(key)?.entry;
    return own !== undefined && own.revision > (applied?.revision ?? 0) ? own : applied;
  }

  /** Announces a put of `value`; `form` is what the view in `slot` makes of it. */
  expect(key: string, value: Buffer, slot: number, form: ServedForm | undefined): WriteExpectation {
    const own: OwnWrite = { value, slot, form, entry: undefined };
    this.#own.set(key, own);
    const forget = (): void => {
      if (this.#own.get(key) === own) this.#own.delete(key);
    };
    return {
      committed: (entry) => {
        // Applied meanwhile: the log was faster than the answer.
        if (this.#lastRevision >= entry.revision) forget();
        else own.entry = entry;
      },
      lost: forget,
    };
  }

  /** Is this value on its way, written by this process? Then its form is known. */
  isOwn(key: string, value: Buffer): boolean {
    return this.#own.get(key)?.value.equals(value) ?? false;
  }

  /** An entry of the store as this cache keeps it; not added. */
  toStored(entry: Entry): StoredEntry {
    const { namespace, name } = splitKey(entry.key.slice(this.prefix.length));
    return createStoredEntry(entry, namespace, name);
  }

  /** What is applied already (a batch that was cut off and comes again) is passed over. `forms`: what views make of the value, by slot. */
  apply(change: Change, forms?: StoredEntry['forms']): void {
    if (change.revision <= this.#lastRevision) return;
    const previous = this.#entries.get(change.key);
    let current: StoredEntry | undefined;
    this.#lastRevision = change.revision;
    this.eventsReceived++;
    if (change.type === 'put') {
      current = this.#arrived(change.key, change.value ?? Buffer.alloc(0), change.revision);
      if (forms !== undefined) for (const [slot, form] of forms.entries()) if (form !== undefined) current.forms[slot] ??= form;
      this.#entries = this.#entries.with(current);
      this.#bytes += current.value.length - (previous?.value.length ?? 0);
    } else {
      this.#own.delete(change.key);
      if (previous === undefined) return;
      this.#entries = this.#entries.without(change.key);
      this.#bytes -= previous.value.length;
    }
    const event: CacheEvent = { revision: change.revision, current, previous };
    this.window.push(event, this.#now());
    this.#dirty = true;
    for (const listener of this.#listeners) listener.event(event);
  }

  /** The entry of a put that the log brings; an own write's value and form are taken over. */
  #arrived(key: string, value: Buffer, revision: Revision): StoredEntry {
    const own = this.#own.get(key);
    if (own === undefined) return this.toStored({ key, value, revision });
    const isOwn = own.value.equals(value);
    if (isOwn || (own.entry !== undefined && own.entry.revision <= revision)) this.#own.delete(key);
    const entry = this.toStored({ key, value: isOwn ? own.value : value, revision });
    if (isOwn && own.form !== undefined) entry.forms[own.slot] = own.form;
    return entry;
  }

  flush(applied: Revision): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    for (const listener of this.#listeners) listener.flush?.(applied);
  }

  /**
   * The whole state as it was at `revision`, sorted by key. What did not change keeps its identity, and with it what views made of it;
   * what could not be decrypted before and can be now has changed.
   */
  load(sorted: readonly Entry[], revision: Revision): void {
    const old = this.#entries;
    const next: StoredEntry[] = [];
    const changes: CacheEvent[] = [];
    for (const entry of sorted) {
      const previous = old.get(entry.key);
      const isOpened = previous !== undefined && isEncrypted(previous.value) && !isEncrypted(entry.value);
      if (previous !== undefined && previous.revision === entry.revision && !isOpened) {
        next.push(previous);
        continue;
      }
      const current = this.toStored(entry);
      next.push(current);
      changes.push({ revision: entry.revision, current, previous });
    }
    const entries = SortedEntries.from(next);
    for (const previous of old.range(''))
      if (entries.get(previous.key) === undefined) changes.push({ revision, current: undefined, previous });
    this.#entries = entries;
    this.#bytes = next.reduce((sum, e) => sum + e.value.length, 0);
    this.#own.clear();
    this.#lastRevision = revision;
    this.#dirty = false;
    this.window.reset(revision);
    for (const listener of this.#listeners) listener.reset?.(changes, revision);
  }
}
