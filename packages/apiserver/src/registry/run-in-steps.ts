import { setImmediate as turn } from 'node:timers/promises';

/** How long one request's work may hold the event loop. */
const sliceMs = 15;
/** A request needs some turns from its first byte to its answer: with one turn at a time it would wait for a slice before each. */
const turnsBetween = 5;

/** Runs work that yields where it can be interrupted: others get their turn every few milliseconds. Throws when `signal` aborts. */
export async function runInSteps(work: Generator<void, void>, signal: AbortSignal): Promise<void> {
  let began = performance.now();
  while (work.next().done !== true) {
    if (performance.now() - began < sliceMs) continue;
    for (let i = 0; i < turnsBetween; i++) await turn();
    signal.throwIfAborted();
    began = performance.now();
  }
}
