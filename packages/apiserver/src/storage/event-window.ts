import type { Revision } from '@skiff/storage';
import type { StoredEntry } from './stored-entry.ts';

/** One change of one object. `current` undefined = deleted at `revision`; `previous` undefined = created. By reference, never copied. */
export interface CacheEvent {
  readonly revision: Revision;
  readonly current: StoredEntry | undefined;
  readonly previous: StoredEntry | undefined;
}

export interface EventWindowLimits {
  readonly maxAgeMs: number;
  /** Kept however old they are. */
  readonly minEvents: number;
  readonly maxEvents: number;
  /** Of the values that the window keeps alive. */
  readonly maxBytes: number;
}

export const defaultWindowLimits: EventWindowLimits = {
  maxAgeMs: 5 * 60_000,
  minEvents: 1000,
  maxEvents: 100_000,
  maxBytes: 64 * 1024 * 1024,
};

/**
 * The last changes of a resource, so that a watch can resume. Holds every event with a revision above `start`; a watch from a lower
 * one is answered with 410.
 */
export class EventWindow {
  readonly #limits: EventWindowLimits;
  #events: (CacheEvent | undefined)[] = [];
  #times: number[] = [];
  /** Index of the oldest kept event in the arrays, which are cut when half of them is gone. */
  #first = 0;
  #bytes = 0;
  #start: Revision;

  constructor(start: Revision, limits: EventWindowLimits = defaultWindowLimits) {
    this.#start = start;
    this.#limits = limits;
  }

  /** Everything above this revision is here. */
  get start(): Revision {
    return this.#start;
  }
  get length(): number {
    return this.#events.length - this.#first;
  }

  push(event: CacheEvent, nowMs: number): void {
    this.#events.push(event);
    this.#times.push(nowMs);
    this.#bytes += bytesOf(event);
    this.#trim(nowMs);
  }

  /** Forgets everything and begins anew behind `start`. */
  reset(start: Revision): void {
    this.#events = [];
    this.#times = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#start = start;
  }

  /** Events with a revision above `after`, oldest first. `after` must not be below `start`. */
  since(after: Revision): readonly CacheEvent[] {
    let low = this.#first;
    let high = this.#events.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if ((this.#events[mid] as CacheEvent).revision <= after) low = mid + 1;
      else high = mid;
    }
    return this.#events.slice(low) as CacheEvent[];
  }

  #trim(nowMs: number): void {
    const { maxAgeMs, minEvents, maxEvents, maxBytes } = this.#limits;
    while (
      this.length > maxEvents ||
      (this.#bytes > maxBytes && this.length > 1) ||
      (this.length > minEvents && (this.#times[this.#first] as number) < nowMs - maxAgeMs)
    ) {
      const event = this.#events[this.#first] as CacheEvent;
      this.#events[this.#first] = undefined;
      this.#first += 1;
      this.#bytes -= bytesOf(event);
      // Events of one revision go together: half of a transaction must never be resumed.
      if (event.revision > this.#start) this.#start = event.revision;
      while (this.length > 0 && (this.#events[this.#first] as CacheEvent).revision === event.revision) {
        this.#bytes -= bytesOf(this.#events[this.#first] as CacheEvent);
        this.#events[this.#first] = undefined;
        this.#first += 1;
      }
    }
    if (this.#first > 1024 && this.#first > this.#events.length / 2) {
      this.#events = this.#events.slice(this.#first);
      this.#times = this.#times.slice(this.#first);
      this.#first = 0;
    }
  }
}

const bytesOf = (e: CacheEvent): number => (e.current?.value.length ?? e.previous?.value.length ?? 0) + 200;
