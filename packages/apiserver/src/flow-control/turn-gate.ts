import type { Clock } from '@skiff/component-base';

/** Who has requests that wait for the event loop. */
export interface Gated {
  /** Lets its next request begin or go on. Returns how much of its share that takes; undefined: none can now. */
  goOn(): number | undefined;
}

/** How long requests may be begun before the event loop turns. */
const turnMs = 4;

/**
 * The one thread that serves all requests is what they really share: seats bound how many are under way, not how many begin at once.
 * Once a turn of the event loop has lasted `turnMs`, further requests wait in their queues and begin in fair order in the next turn,
 * between which others are heard.
 *
 *     poll: requests arrive ──▶ begin while open, else wait ──▶ check: those that wait begin while open ──▶ poll …
 */
export class TurnGate {
  readonly #clock: Clock;
  /** What each has had, in parts of its share. */
  readonly #waiting = new Map<Gated, number>();
  #served = 0;
  #inTurn = false;
  #turnStartMs = 0;
  readonly #endTurn = (): void => {
    this.#inTurn = false;
    if (this.#waiting.size > 0) this.#step();
  };
  readonly #step = (): void => {
    if (this.#waiting.size === 0 || !this.open) return;
    let next: Gated | undefined;
    let least = Infinity;
    for (const [gated, had] of this.#waiting) {
      if (had >= least) continue;
      least = had;
      next = gated;
    }
    if (next === undefined) return;
    const cost = next.goOn();
    if (cost === undefined) this.#waiting.delete(next);
    else {
      this.#served = least;
      this.#waiting.set(next, least + cost);
    }
    // What it began runs before the next tick; only then is known what it took.
    process.nextTick(this.#step);
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** May a request begin in this turn? */
  get open(): boolean {
    const now = this.#clock.monotonicMs();
    if (!this.#inTurn) {
      this.#inTurn = true;
      this.#turnStartMs = now;
      setImmediate(this.#endTurn);
    }
    return now - this.#turnStartMs < turnMs;
  }

  /** `gated.goOn` is called from the next turn on, until it has nothing more. Who comes new has had as much as the others. */
  wait(gated: Gated): void {
    if (!this.#waiting.has(gated)) this.#waiting.set(gated, this.#served);
  }
}
