const longestSeconds = 32;

/**
 * How long those who are turned away should wait: doubled while three times as many are dropped as the wait allows for, one second
 * less for each second in which next to nobody is.
 */
export class RetryAfter {
  #seconds = 1;
  #raisedAt = -Infinity;
  #current = { second: -1, dropped: 0 };
  #past: { readonly second: number; readonly dropped: number }[] = [];

  get seconds(): number {
    return this.#seconds;
  }

  dropped(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second === this.#current.second) {
      this.#current.dropped++;
      return;
    }
    if (this.#current.second >= 0) this.#past.push({ ...this.#current });
    const kept = Math.min(2 * this.#seconds, longestSeconds);
    this.#past = this.#past.filter((p) => second - p.second <= kept);
    this.#current = { second, dropped: 1 };
    let recent = 0;
    for (const p of this.#past) if (second - p.second <= this.#seconds) recent += p.dropped;
    if (second - this.#raisedAt >= this.#seconds && recent >= 3 * this.#seconds) {
      this.#seconds = Math.min(2 * this.#seconds, longestSeconds);
      this.#raisedAt = second;
    } else if (recent < this.#seconds && this.#seconds > 1) this.#seconds--;
  }
}
