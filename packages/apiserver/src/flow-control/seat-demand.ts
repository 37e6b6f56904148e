/** What was asked for in a period: weighted by time. */
export interface DemandStatistics {
  readonly durationMs: number;
  readonly average: number;
  readonly deviation: number;
  readonly max: number;
}

/** A number that changes now and then, and its statistics over time. */
export class SeatDemand {
  #value = 0;
  #sinceMs: number;
  #startMs: number;
  #max = 0;
  #sum = 0;
  #squares = 0;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
    this.#startMs = nowMs;
  }

  set(value: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#value = value;
    if (value > this.#max) this.#max = value;
  }

  /** The statistics since the last reset. */
  reset(nowMs: number): DemandStatistics {
    this.#advance(nowMs);
    const durationMs = nowMs - this.#startMs;
    const average = durationMs > 0 ? this.#sum / durationMs : this.#value;
    const variance = durationMs > 0 ? Math.max(0, this.#squares / durationMs - average * average) : 0;
    const out = { durationMs, average, deviation: Math.sqrt(variance), max: this.#max };
    this.#startMs = nowMs;
    this.#max = this.#value;
    this.#sum = 0;
    this.#squares = 0;
    return out;
  }

  #advance(nowMs: number): void {
    const elapsed = nowMs - this.#sinceMs;
    if (elapsed <= 0) return;
    this.#sum += this.#value * elapsed;
    this.#squares += this.#value * this.#value * elapsed;
    this.#sinceMs = nowMs;
  }
}
