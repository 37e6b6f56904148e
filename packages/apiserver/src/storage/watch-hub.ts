import type { Revision } from '@skiff/storage';
import type { Status } from '@skiff/apimachinery';
import type { CacheEvent } from './event-window.ts';
import type { CacheListener, ResourceCache } from './resource-cache.ts';
import type { ServedForm, StoredEntry } from './stored-entry.ts';
import type { View } from './view.ts';

export type ObjectEventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** What a list or watch selects. `id` is equal where the selection is. */
export interface Selection {
  readonly id: string;
  /** '' = all. */
  readonly namespace: string;
  /** '' = all. */
  readonly name: string;
  /** An exact value of the resource's indexed field (pods: `spec.nodeName`). */
  readonly indexedValue: string | undefined;
  /** What namespace and name do not decide; undefined = everything. */
  readonly matches: ((form: ServedForm) => boolean) | undefined;
}

/** A member's place in the hub; disposed when it leaves. */
export interface WatchMembership extends Disposable {
  /** Are there events for it that wait for their conversion? */
  behind(): boolean;
}

/** How events look to a watcher. Pure; one frame serves all watchers with the same view and format. */
export interface WatchFormat {
  readonly id: string;
  readonly contentType: string;
  frame(type: ObjectEventType, entry: StoredEntry, form: ServedForm, revision: Revision): Buffer;
  bookmark(revision: Revision, initialEventsEnd: boolean): Buffer;
  error(status: Status): Buffer;
}

/** A watcher's end of the stream, as the hub uses it. */
export interface WatchMember {
  readonly bookmarks: boolean;
  write(frames: Buffer): void;
  /** The stream is over; called once, the member is gone from the hub. */
  ended(): void;
}

export interface WatchHubDeps {
  /** Selectable field by which watches are indexed besides namespace and name. */
  readonly indexedField: string | undefined;
  /** The Status of the ERROR event that ends a watch whose next event can't be decoded or converted; throws again what is neither. */
  failure(error: unknown): Status;
  /** …and of a watch whose history is gone. */
  expired(revision: Revision): Status;
}

/**
 * Deals the events of one resource out to its watchers. Watchers with the same view, format and selection form a group: an event is
 * matched once per group, encoded once per view and format, and what comes in one turn of the event loop is written to each member as one piece.
 */
export class WatchHub implements CacheListener {
  readonly #deps: WatchHubDeps;
  readonly #groups = new Map<string, WatchGroup>();
  readonly #everywhere = new Set<WatchGroup>();
  readonly #byNamespace = new Map<string, Set<WatchGroup>>();
  readonly #byName = new Map<string, Set<WatchGroup>>();
  readonly #byIndexed = new Map<string, Set<WatchGroup>>();
  readonly #dirty = new Set<WatchGroup>();
  #scheduled = false;

  constructor(cache: ResourceCache, deps: WatchHubDeps) {
    this.#deps = deps;
    cache.subscribe(this);
  }

  get watchers(): number {
    let n = 0;
    for (const group of this.#groups.values()) n += group.members.size;
    return n;
  }

  /** From the next event on. Between the last replayed event and this call nothing may be awaited. */
  join(member: WatchMember, view: View, format: WatchFormat, selection: Selection): WatchMembership {
    let id = `${view.slot}|${format.id}|${selection.id}`;
    let group = this.#groups.get(id);
    // What waits in a group came before: who joins now gets one of its own.
    while (group !== undefined && group.waiting.length > 0) {
      id += '+';
      group = this.#groups.get(id);
    }
    if (group === undefined) {
      group = { id, view, format, selection, members: new Set(), pending: [], waiting: [] };
      this.#groups.set(id, group);
      this.#indexOf(group).add(group);
    }
    const joined = group;
    // What is pending came before: it is for those who were there.
    this.#send(joined);
    joined.members.add(member);
    return { behind: () => joined.waiting.length > 0, [Symbol.dispose]: () => this.#leave(joined, member) };
  }

  /** The frame a watcher gets for an event, undefined when the event does not concern it. Throws UndecodableError. */
  frameOf(event: CacheEvent, view: View, format: WatchFormat, selection: Selection, memo?: Map<string, Buffer>): Buffer | undefined {
    const { current, previous, revision } = event;
    const subject = current ?? previous;
    if (subject === undefined || (selection.namespace !== '' && subject.namespace !== selection.namespace)) return undefined;
    if (selection.name !== '' && subject.name !== selection.name) return undefined;
    const is = current !== undefined && (selection.matches === undefined || selection.matches(view.formOf(current)));
    const was = previous !== undefined && (selection.matches === undefined || selection.matches(view.formOf(previous)));
    if (!is && !was) return undefined;
    const type: ObjectEventType = is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED';
    const entry = (is ? current : previous) as StoredEntry;
    const id = `${type}|${view.slot}|${format.id}`;
    const known = memo?.get(id);
    if (known !== undefined) return known;
    const frame = format.frame(type, entry, view.formOf(entry), revision);
    memo?.set(id, frame);
    return frame;
  }

  event(event: CacheEvent): void {
    const memo = new Map<string, Buffer>();
    for (const group of this.#candidates(event)) {
      if (group.waiting.length > 0 || group.view.awaits(event.current) || group.view.awaits(event.previous)) {
        group.waiting.push(event);
        if (group.waiting.length === 1) void this.#convert(group);
        else if (group.waiting.length > maxWaiting) this.#end(group, this.#deps.expired(event.revision));
        continue;
      }
      this.#frame(group, event, memo);
    }
  }

  /** False: the group is over. */
  #frame(group: WatchGroup, event: CacheEvent, memo?: Map<string, Buffer>): boolean {
    try {
      const frame = this.frameOf(event, group.view, group.format, group.selection, memo);
      if (frame === undefined) return true;
      group.pending.push(frame);
      this.#dirty.add(group);
      return true;
    } catch (error) {
      this.#end(group, this.#deps.failure(error));
      return false;
    }
  }

  /** Events of a group whose view converts by webhook: in their order, as many at a time as there are. */
  async #convert(group: WatchGroup): Promise<void> {
    while (group.waiting.length > 0) {
      const events = group.waiting.slice();
      try {
        await group.view.prepare(events.flatMap((e) => [e.current, e.previous]));
      } catch (error) {
        if (group.waiting.length > 0) this.#end(group, this.#deps.failure(error));
        return;
      }
      // Ended meanwhile.
      if (group.waiting.length === 0) return;
      group.waiting.splice(0, events.length);
      for (const event of events) if (!this.#frame(group, event)) return;
      this.flush();
    }
  }

  /**
   * Frames leave at the end of the event loop's turn: while a hundred sockets are written to, the next events pile up, and they then go
   * out together, one write for each watcher.
   */
  flush(): void {
    if (this.#scheduled || this.#dirty.size === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const group of this.#dirty) this.#send(group);
      this.#dirty.clear();
    });
  }

  reset(_changes: readonly CacheEvent[], revision: Revision): void {
    for (const group of this.#groups.values()) this.#end(group, this.#deps.expired(revision));
  }

  /** Ends all watches of a view that is served no longer. What they were to get they still get. */
  close(view: View): void {
    for (const group of this.#groups.values()) {
      if (group.view !== view) continue;
      this.#send(group);
      const members = [...group.members];
      group.members.clear();
      this.#remove(group);
      for (const member of members) member.ended();
    }
  }

  /** Sends a BOOKMARK to everyone who wants them. `applied`: nothing at or below it is still to come. */
  bookmark(applied: Revision): void {
    for (const group of this.#groups.values()) {
      if (group.waiting.length > 0) continue;
      this.#send(group);
      let frame: Buffer | undefined;
      for (const member of group.members) {
        if (!member.bookmarks) continue;
        frame ??= group.format.bookmark(applied, false);
        member.write(frame);
      }
    }
  }

  *#candidates({ current, previous }: CacheEvent): Generator<WatchGroup, void> {
    const subject = (current ?? previous) as StoredEntry;
    yield* this.#everywhere;
    const inNamespace = this.#byNamespace.get(subject.namespace);
    if (inNamespace !== undefined) yield* inNamespace;
    const named = this.#byName.get(subject.name);
    if (named !== undefined) yield* named;
    if (this.#byIndexed.size === 0) return;
    const now = current === undefined ? undefined : this.#indexedValueOf(current);
    const before = previous === undefined ? undefined : this.#indexedValueOf(previous);
    if (now !== undefined) yield* this.#byIndexed.get(now) ?? [];
    if (before !== undefined && before !== now) yield* this.#byIndexed.get(before) ?? [];
  }

  /** All indexed groups read the same field; any of their views can tell it. */
  #indexedValueOf(entry: StoredEntry): string | undefined {
    const field = this.#deps.indexedField;
    if (field === undefined) return undefined;
    for (const groups of this.#byIndexed.values()) {
      for (const group of groups) {
        try {
          return group.view.formOf(entry).fields[field] ?? '';
        } catch (error) {
          // What has no value is told to those who ask for one.
          this.#deps.failure(error);
          return undefined;
        }
      }
    }
    return undefined;
  }

  #indexOf(group: WatchGroup): Set<WatchGroup> {
    const { name, namespace, indexedValue } = group.selection;
    if (name !== '') return bucket(this.#byName, name);
    if (indexedValue !== undefined) return bucket(this.#byIndexed, indexedValue);
    return namespace !== '' ? bucket(this.#byNamespace, namespace) : this.#everywhere;
  }

  #send(group: WatchGroup): void {
    const { pending } = group;
    if (pending.length === 0) return;
    group.pending = [];
    const frames = pending.length === 1 ? (pending[0] as Buffer) : Buffer.concat(pending);
    for (const member of group.members) member.write(frames);
  }

  #leave(group: WatchGroup, member: WatchMember): void {
    this.#send(group);
    if (!group.members.delete(member) || group.members.size > 0) return;
    this.#remove(group);
  }

  #remove(group: WatchGroup): void {
    group.waiting.length = 0;
    const { name, namespace, indexedValue } = group.selection;
    this.#groups.delete(group.id);
    this.#dirty.delete(group);
    this.#indexOf(group).delete(group);
    if (name !== '') dropEmpty(this.#byName, name);
    else if (indexedValue !== undefined) dropEmpty(this.#byIndexed, indexedValue);
    else if (namespace !== '') dropEmpty(this.#byNamespace, namespace);
  }

  #end(group: WatchGroup, status: Status): void {
    const frames = Buffer.concat([...group.pending, group.format.error(status)]);
    const members = [...group.members];
    group.members.clear();
    this.#remove(group);
    for (const member of members) {
      member.write(frames);
      member.ended();
    }
  }
}

interface WatchGroup {
  readonly id: string;
  readonly view: View;
  readonly format: WatchFormat;
  readonly selection: Selection;
  readonly members: Set<WatchMember>;
  pending: Buffer[];
  /** Events whose objects are being converted, and what came after them. */
  readonly waiting: CacheEvent[];
}

/** Watchers that are further behind start anew. */
const maxWaiting = 10_000;

function bucket(map: Map<string, Set<WatchGroup>>, key: string): Set<WatchGroup> {
  let set = map.get(key);
  if (set === undefined) {
    set = new Set();
    map.set(key, set);
  }
  return set;
}

function dropEmpty(map: Map<string, Set<WatchGroup>>, key: string): void {
  if (map.get(key)?.size === 0) map.delete(key);
}
