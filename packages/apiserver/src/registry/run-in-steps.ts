import { setImmediate as turn } from 'node:timers/promises';

/** How long one request's work may hold the event loop. */
const sliceMs = 15;

/** Runs work that yields where it can be interrupted: others get their turn every few milliseconds. Throws when `signal` aborts. */
export async function runInSteps(work: Generator<void, void>, signal: AbortSignal): Promise<void> {
  let began = performance.now();
  while (work.next().done !== true) {
    if (performance.now() - began < sliceMs) continue;
    await turn();
    signal.throwIfAborted();
    began = performance.now();
  }
}
