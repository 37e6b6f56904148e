/** Bytes that wait for slow clients, over the whole process. */
export interface UnsentLimits {
  /** All streams together. Beyond it the stream that has waited longest is cut. */
  readonly processBytes: number;
  /** A stream that takes nothing for so long is cut. */
  readonly stallMs: number;
}

interface WaitingStream {
  bytes: number;
  progressMs: number;
  readonly cut: () => void;
}

/** One stream's share; `update` with 0 or `dispose` gives it back. */
export interface UnsentAccount extends Disposable {
  update(bytes: number): void;
}

/**
 * Counts what responses and watches have not yet been able to send. Memory never grows with slow readers: over the budget the
 * longest waiting one is cut, and `sweep` (call it every few seconds) cuts those that stopped reading.
 */
export class UnsentBytes {
  readonly #streams = new Set<WaitingStream>();
  readonly #limits: UnsentLimits;
  readonly #monotonicMs: () => number;
  #total = 0;

  constructor(limits: UnsentLimits, monotonicMs: () => number) {
    this.#limits = limits;
    this.#monotonicMs = monotonicMs;
  }

  get total(): number {
    return this.#total;
  }

  open(cut: () => void): UnsentAccount {
    const stream: WaitingStream = { bytes: 0, progressMs: this.#monotonicMs(), cut };
    return {
      update: (bytes) => this.#update(stream, bytes),
      [Symbol.dispose]: () => this.#update(stream, 0),
    };
  }

  sweep(): void {
    const now = this.#monotonicMs();
    for (const stream of this.#streams) if (now - stream.progressMs > this.#limits.stallMs) this.#cut(stream);
  }

  #update(stream: WaitingStream, bytes: number): void {
    if (bytes < stream.bytes || stream.bytes === 0) stream.progressMs = this.#monotonicMs();
    this.#total += bytes - stream.bytes;
    stream.bytes = bytes;
    if (bytes === 0) this.#streams.delete(stream);
    else this.#streams.add(stream);
    while (this.#total > this.#limits.processBytes) {
      let slowest: WaitingStream | undefined;
      for (const s of this.#streams) if (slowest === undefined || s.progressMs < slowest.progressMs) slowest = s;
      if (slowest === undefined) return;
      this.#cut(slowest);
    }
  }

  #cut(stream: WaitingStream): void {
    this.#total -= stream.bytes;
    stream.bytes = 0;
    this.#streams.delete(stream);
    stream.cut();
  }
}
