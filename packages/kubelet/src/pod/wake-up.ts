import type { Clock } from '@skiff/component-base';

/** What a worker sleeps on: calls that come while it works are remembered, and of several times the earliest counts. */
export class WakeUp {
  readonly #clock: Clock;
  #woken = true;
  #wake: () => void = () => undefined;
  #timer: Disposable | undefined;
  #timerAtMs: number | undefined;
  constructor(clock: Clock) {
    this.#clock = clock;
  }
  now(): void {
    this.#woken = true;
    this.#wake();
  }
  /** Milliseconds since the epoch; undefined: no such time. */
  at(atMs: number | undefined): void {
    if (atMs === undefined || (this.#timerAtMs !== undefined && this.#timerAtMs <= atMs)) return;
    this.#timer?.[Symbol.dispose]();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.after(Math.max(0, atMs - this.#clock.now()), () => this.now());
  }
  /** Resolves with the next call, at once when there was one since the last time. Times that were asked for are forgotten. */
  async next(): Promise<void> {
    if (!this.#woken)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = () => undefined;
    this.#woken = false;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#timerAtMs = undefined;
  }
}
