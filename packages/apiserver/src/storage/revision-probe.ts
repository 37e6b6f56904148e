import type { Revision } from '@skiff/storage';

/**
 * Coalesces linearizable revision probes: whoever asks gets one that started after the question, shared with everyone else who waits.
 * At most one runs and one is queued. The start waits for the end of the event loop's turn, so that all requests of one turn share it.
 */
export class RevisionProbe {
  readonly #ask: () => Promise<Revision>;
  #starting: Promise<Revision> | undefined;
  #running: Promise<Revision> | undefined;

  constructor(ask: () => Promise<Revision>) {
    this.#ask = ask;
  }

  /** A revision at least as new as every write acknowledged before this call. Rejects as the store does. */
  next(): Promise<Revision> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start(): Promise<Revision> {
    if (this.#running === undefined) await new Promise<void>((resolve) => setImmediate(resolve));
    else await this.#running.catch(() => undefined);
    const running = this.#ask();
    this.#running = running;
    this.#starting = undefined;
    try {
      return await running;
    } finally {
      if (this.#running === running) this.#running = undefined;
    }
  }
}
