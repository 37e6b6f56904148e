import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Share of the delay that is random, 0 to 1. */
  readonly jitter?: number;
}

/**
 * The only place where a loop is caught and retried. Runs `run` until `signal` aborts; a throw is logged and retried after a
 * growing delay, which starts over once a run lasted longer than the longest delay. Resolves when aborted and `run` has ended.
 */
export async function supervise(
  name: string,
  run: (signal: AbortSignal) => Promise<void>,
  o: { signal: AbortSignal; clock: Clock; log: Logger; backoff?: Backoff },
): Promise<void> {
  const backoff = o.backoff ?? { initialMs: 250, maxMs: 10_000, jitter: 0.2 };
  let delayMs = backoff.initialMs;
  while (!o.signal.aborted) {
    const startedMs = o.clock.monotonicMs();
    try {
      await run(o.signal);
      if (o.signal.aborted) return;
      o.log.warn({ loop: name }, 'loop ended by itself; starting it again');
    } catch (error) {
      if (o.signal.aborted) return;
      o.log.error({ loop: name, err: error }, 'loop failed; starting it again');
    }
    if (o.clock.monotonicMs() - startedMs > backoff.maxMs) delayMs = backoff.initialMs;
    try {
      await o.clock.sleep(delayMs * (1 + Math.random() * (backoff.jitter ?? 0)), o.signal);
    } catch {
      return;
    }
    delayMs = Math.min(delayMs * 2, backoff.maxMs);
  }
}
