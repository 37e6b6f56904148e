import { setImmediate as turn } from 'node:timers/promises';
import { isStatusError, type Status, StatusError } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { OpenWatch, WatchSink } from '../contract.ts';
import type { CacheEvent } from '../storage/event-window.ts';
import type { StoredEntry } from '../storage/stored-entry.ts';
import { UndecodableError } from '../storage/view.ts';
import type { Selection, WatchFormat, WatchMember, WatchMembership } from '../storage/watch-hub.ts';
import { awaitRevision, freshnessTimeoutMs } from './reads.ts';
import { type ListOptions, parseResourceVersion } from './request-options.ts';
import type { ServedResource } from './stored-resource.ts';
import { prepareEntries } from './webhook-conversion.ts';

export interface WatchRequest {
  readonly resource: ServedResource;
  readonly options: ListOptions;
  readonly selection: Selection;
  readonly format: WatchFormat;
  /** What the first frames need and later ones don't (Tables: the columns). */
  readonly firstFormat?: WatchFormat;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** A watcher that lets more than this wait for its socket is cut; it resumes from what it has seen. */
const maxUnsentBytes = 16 * 1024 * 1024;
/** While the first state is sent, the next piece waits until the socket has taken most of the last. */
const firstStateUnsentBytes = 1024 * 1024;
const minTimeoutSeconds = 1800;
const lastBookmarkMs = 2000;
const sliceMs = 8;
const sliceBytes = 256 * 1024;

export const undecodableStatus = (error: UndecodableError): Status =>
  new StatusError('InternalError', `Internal error occurred: ${error.message}`, {
    details: { causes: [{ message: error.message }] },
  }).toStatus();

/** Of what a watch meets while objects are made for it; anything else is thrown again. */
export function failedStatus(error: unknown): Status {
  if (error instanceof UndecodableError) return undecodableStatus(error);
  if (isStatusError(error)) return error.toStatus();
  throw error;
}

export const expiredStatus = (asked: number, start: number): Status =>
  new StatusError('Expired', `too old resource version: ${asked} (${start})`).toStatus();

/**
 * Serves one watch until its client leaves, its time is over, or it falls behind. Throws only before the answer has begun; what goes
 * wrong with the start position is an ERROR event, as upstream's.
 *
 *     [current objects as ADDED, BOOKMARK initial-events-end] ─▶ events of the window ─▶ member of the hub
 */
export async function serveWatch(w: WatchRequest, open: OpenWatch): Promise<void> {
  const { options, resource } = w;
  const { follower } = resource.stored;
  const asked = parseResourceVersion(options.resourceVersion, 'watch');
  if (follower.appliedRevision === 0) {
    throw new StatusError('TooManyRequests', 'storage is (re)initializing', { details: { retryAfterSeconds: 1 } });
  }
  let failure: Status | undefined;
  if (options.sendInitialEvents === true) {
    try {
      if (options.resourceVersion === '') await awaitCurrent(w);
      else if (asked > 0) await awaitRevision(follower, asked);
    } catch (error) {
      if (!isStatusError(error)) throw error;
      failure = error.toStatus();
    }
  }
  if (w.signal.aborted) return;
  const session = new WatchSession(w, open(w.format.contentType));
  if (failure === undefined) await session.run(asked);
  else session.fail(failure);
}

/** The first state of a watch must be as new as a consistent read; there is no store to fall back to. */
async function awaitCurrent(w: WatchRequest): Promise<void> {
  const { follower } = w.resource.stored;
  await awaitRevision(follower, await follower.probeRevision());
}

class WatchSession implements WatchMember {
  readonly bookmarks: boolean;
  readonly #w: WatchRequest;
  readonly #sink: WatchSink;
  readonly #ended: Promise<void>;
  #resolveEnded: () => void = () => undefined;
  #over = false;
  #membership: WatchMembership | undefined;
  /** Until the first object frame is out. */
  #first: boolean;

  constructor(w: WatchRequest, sink: WatchSink) {
    this.#w = w;
    this.#sink = sink;
    this.bookmarks = w.options.allowWatchBookmarks;
    this.#first = w.firstFormat !== undefined;
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  async run(asked: number): Promise<void> {
    const { signal, clock, options } = this.#w;
    const timeoutMs =
      (options.timeoutSeconds ?? 0) > 0 ? (options.timeoutSeconds ?? 0) * 1000 : minTimeoutSeconds * 1000 * (1 + Math.random());
    const onAbort = (): void => this.#end();
    signal.addEventListener('abort', onAbort, { once: true });
    using _timeout = clock.after(timeoutMs, onAbort);
    using _bookmark = clock.after(Math.max(timeoutMs - lastBookmarkMs, 0), () => {
      if (timeoutMs > lastBookmarkMs && this.#membership !== undefined) this.#bookmark();
    });
    try {
      await this.#start(asked);
      await this.#ended;
    } catch (error) {
      this.fail(failedStatus(error));
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#end();
    }
  }

  fail(status: Status): void {
    if (this.#over) return;
    this.#sink.write(this.#w.format.error(status));
    this.#end();
  }

  write(frames: Buffer): void {
    if (this.#over) return;
    if (this.#sink.write(frames) > maxUnsentBytes) {
      this.#leave();
      this.#sink.destroy();
      return;
    }
    // Later frames go without what only the first need. The move happens between two batches of the log.
    if (this.#first && this.#membership !== undefined) {
      this.#first = false;
      queueMicrotask(() => {
        if (!this.#over) this.#join();
      });
    }
  }

  ended(): void {
    this.#end();
  }

  /** From `asked` (0 = now) to the last applied event, then into the hub: without an await in between. */
  async #start(asked: number): Promise<void> {
    const { resource, options } = this.#w;
    const { follower, cache } = resource.stored;
    let position = follower.appliedRevision;
    if (options.sendInitialEvents === true) {
      await this.#sendState(position);
      if (this.#over) return;
      if (this.bookmarks) this.#sink.write(this.#format().bookmark(position, true));
    } else if (asked > 0) {
      position = asked;
      while (!this.#over && follower.appliedRevision < asked) await follower.waitFor(asked, freshnessTimeoutMs);
    }
    while (!this.#over) {
      if (position < cache.window.start) return this.fail(expiredStatus(position, cache.window.start));
      const events = cache.window.since(position);
      if (events.length === 0) return this.#join();
      position = await this.#replay(events);
    }
  }

  async #sendState(revision: number): Promise<void> {
    const { resource, selection } = this.#w;
    const prefix = selection.namespace === '' ? resource.stored.prefix : `${resource.stored.prefix}${selection.namespace}/`;
    const frames = new FrameBatch(this.#sink);
    const entries = resource.stored.cache.entries.slice(prefix);
    await prepareEntries(resource, entries);
    for (const entry of entries) {
      if (this.#over) return;
      const frame = this.#frame({ revision: entry.revision, current: entry, previous: undefined });
      if (frame !== undefined && frames.add(frame)) await frames.send();
      else if (frames.due) await frames.send();
    }
    frames.flush();
    if (revision > 0) this.#noteFirst(frames.sent);
  }

  /** Sends events of the window; resolves to the revision of the last. */
  async #replay(events: readonly CacheEvent[]): Promise<number> {
    const frames = new FrameBatch(this.#sink);
    await prepareEntries(
      this.#w.resource,
      events.flatMap((e) => [e.current, e.previous]),
    );
    let position = 0;
    for (const event of events) {
      if (this.#over) break;
      const frame = this.#frame(event);
      position = event.revision;
      if ((frame !== undefined && frames.add(frame)) || frames.due) await frames.send();
    }
    frames.flush();
    this.#noteFirst(frames.sent);
    return position;
  }

  #frame(event: CacheEvent): Buffer | undefined {
    const { resource, selection } = this.#w;
    const frame = resource.stored.hub.frameOf(event, resource.view, this.#format(), selection);
    if (frame !== undefined) this.#noteFirst(true);
    return frame;
  }

  #noteFirst(sent: boolean): void {
    if (sent) this.#first = false;
  }

  #format(): WatchFormat {
    return this.#first && this.#w.firstFormat !== undefined ? this.#w.firstFormat : this.#w.format;
  }

  #join(): void {
    const { resource, selection } = this.#w;
    this.#membership?.[Symbol.dispose]();
    this.#membership = resource.stored.hub.join(this, resource.view, this.#format(), selection);
  }

  #bookmark(): void {
    // What waits for its conversion is older than the bookmark would say.
    if (this.bookmarks && this.#membership?.behind() !== true)
      this.write(this.#format().bookmark(this.#w.resource.stored.follower.appliedRevision, false));
  }

  #leave(): void {
    this.#over = true;
    this.#membership?.[Symbol.dispose]();
    this.#resolveEnded();
  }

  #end(): void {
    if (this.#over) return;
    this.#leave();
    this.#sink.end();
  }
}

/** Frames on their way, in pieces that neither block the event loop nor fill the socket's buffer without bound. */
class FrameBatch {
  readonly #sink: WatchSink;
  #frames: Buffer[] = [];
  #bytes = 0;
  #unsent = 0;
  #sinceMs = performance.now();
  sent = false;

  constructor(sink: WatchSink) {
    this.#sink = sink;
  }

  get due(): boolean {
    return performance.now() - this.#sinceMs > sliceMs;
  }

  /** True when it is time to send. */
  add(frame: Buffer): boolean {
    this.#frames.push(frame);
    this.#bytes += frame.length;
    this.sent = true;
    return this.#bytes >= sliceBytes || this.due;
  }

  flush(): void {
    if (this.#frames.length > 0) this.#unsent = this.#sink.write(Buffer.concat(this.#frames, this.#bytes));
    this.#frames = [];
    this.#bytes = 0;
  }

  async send(): Promise<void> {
    this.flush();
    if (this.#unsent > firstStateUnsentBytes) await this.#sink.drained(sliceBytes);
    else await turn();
    this.#sinceMs = performance.now();
  }
}

/** Entries whose form is not made yet are converted in slices, so that a first LIST does not hold the event loop. */
export async function prepareForms(resource: ServedResource, entries: readonly StoredEntry[]): Promise<void> {
  await prepareEntries(resource, entries);
  let since = performance.now();
  for (const entry of entries) {
    if (entry.forms[resource.view.slot] !== undefined) continue;
    resource.view.formOf(entry);
    if (performance.now() - since < sliceMs) continue;
    await turn();
    since = performance.now();
  }
}
