import type { Clock } from '@skiff/component-base';

interface Entry {
  delayMs: number;
  lastMs: number;
}

/** Exponential back-off by key, as client-go's flowcontrol.Backoff: forgets a key that was quiet for twice the longest delay. */
export class BackOff {
  readonly #entries = new Map<string, Entry>();
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #clock: Clock;
  constructor(o: { initialMs: number; maxMs: number; clock: Clock }) {
    this.#initialMs = o.initialMs;
    this.#maxMs = o.maxMs;
    this.#clock = o.clock;
  }
  /** The current delay; 0 for a key without one. */
  delayMs(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }
  /** Counts one more failure. `sinceMs`: when the last one was, for deciding whether the key had recovered. */
  next(key: string, sinceMs: number): void {
    const entry = this.#entries.get(key);
    const expired = entry !== undefined && sinceMs - entry.lastMs > 2 * this.#maxMs;
    const delayMs = entry === undefined || expired ? this.#initialMs : Math.min(entry.delayMs * 2, this.#maxMs);
    this.#entries.set(key, { delayMs, lastMs: this.#clock.now() });
  }
  /** When the key may be tried again, counted from `eventMs`; undefined: now. */
  blockedUntilMs(key: string, eventMs: number): number | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || eventMs - entry.lastMs > 2 * this.#maxMs) return undefined;
    const untilMs = eventMs + entry.delayMs;
    return this.#clock.now() < untilMs ? untilMs : undefined;
  }
  /** As `blockedUntilMs`, counted from the last failure. */
  blockedSinceLastMs(key: string): number | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined ? undefined : this.blockedUntilMs(key, entry.lastMs);
  }
  forget(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }
}
