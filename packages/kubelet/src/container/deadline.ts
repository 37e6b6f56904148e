import type { Clock } from '@skiff/component-base';

/** A point in time that may come nearer, never move away: the end of a pod's grace. */
export class Deadline {
  readonly #clock: Clock;
  #atMs: number;
  readonly #waiting = new Set<() => void>();
  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#atMs = clock.monotonicMs() + graceMs;
  }
  remainingMs(): number {
    return Math.max(0, this.#atMs - this.#clock.monotonicMs());
  }
  shrinkTo(graceMs: number): void {
    const atMs = this.#clock.monotonicMs() + graceMs;
    if (atMs >= this.#atMs) return;
    this.#atMs = atMs;
    for (const wake of this.#waiting) wake();
  }
  /** Resolves with true when the time is up, with false when `until` settles before. `atLeastMs`: not before that much time. */
  async wait(until: Promise<unknown>, atLeastMs = 0): Promise<boolean> {
    const leastAtMs = this.#clock.monotonicMs() + atLeastMs;
    const settled = until.then(
      () => 'settled' as const,
      () => 'settled' as const,
    );
    for (;;) {
      const ms = Math.max(this.#atMs, leastAtMs) - this.#clock.monotonicMs();
      if (ms <= 0) return (await Promise.race([settled, Promise.resolve('late' as const)])) === 'late';
      let timer: Disposable | undefined;
      let wake: (() => void) | undefined;
      const passed = new Promise<'passed'>((resolve) => {
        wake = () => resolve('passed');
        timer = this.#clock.after(ms, wake);
        this.#waiting.add(wake);
      });
      const first = await Promise.race([settled, passed]);
      timer?.[Symbol.dispose]();
      if (wake !== undefined) this.#waiting.delete(wake);
      if (first === 'settled') return false;
    }
  }
}
