import type { Clock } from '@skiff/component-base';
import type { AuditEvent } from './event.ts';
import type { AuditBackendConfig } from './config.ts';

/** Gathers events and hands them on in batches. */
export interface BatchQueue {
  /** False: there is no room, the event is lost. */
  offer(event: AuditEvent): boolean;
  /** Hands batches on until aborted, then what is left, for at most `flushMs`. */
  run(signal: AbortSignal): Promise<void>;
}

/** Beside the number of events their bytes are bounded: large objects would fill the memory. */
const maxBufferBytes = 64 * 1024 * 1024;
const maxConcurrent = 4;
const flushMs = 5_000;

/** `deliver` must not throw, and ends with its signal. */
export function createBatchQueue(
  config: AuditBackendConfig['batch'],
  deps: { deliver: (events: readonly AuditEvent[], signal: AbortSignal) => Promise<void>; clock: Clock },
): BatchQueue {
  const { clock } = deps;
  const waiting: AuditEvent[] = [];
  let bytes = 0;
  let firstMs = 0;
  let wake: () => void = () => undefined;

  const take = (): readonly AuditEvent[] => {
    const batch = waiting.splice(0, config.maxSize);
    for (const event of batch) bytes -= event.json.length;
    firstMs = clock.monotonicMs();
    return batch;
  };
  const changed = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  const isDue = (): boolean =>
    waiting.length >= config.maxSize || (waiting.length > 0 && clock.monotonicMs() - firstMs >= config.maxWaitMs);

  return {
    offer: (event) => {
      if (waiting.length >= config.bufferSize || bytes + event.json.length > maxBufferBytes) return false;
      if (waiting.length === 0) firstMs = clock.monotonicMs();
      waiting.push(event);
      bytes += event.json.length;
      if (waiting.length === 1 || waiting.length === config.maxSize) wake();
      return true;
    },
    run: async (signal) => {
      const delivering = new Set<Promise<void>>();
      const giveUp = new AbortController();
      let tokens = config.throttle?.burst ?? Infinity;
      let refilledMs = clock.monotonicMs();
      const onAbort = (): void => wake();
      signal.addEventListener('abort', onAbort, { once: true });
      const send = (): void => {
        const work = deps.deliver(take(), giveUp.signal).finally(() => {
          delivering.delete(work);
          wake();
        });
        delivering.add(work);
      };
      while (!signal.aborted) {
        if (config.throttle !== undefined) {
          const now = clock.monotonicMs();
          tokens = Math.min(config.throttle.burst, tokens + ((now - refilledMs) / 1000) * config.throttle.qps);
          refilledMs = now;
        }
        if (isDue() && tokens >= 1 && delivering.size < maxConcurrent) {
          tokens -= 1;
          send();
          continue;
        }
        const woken = changed();
        const waitMs =
          delivering.size >= maxConcurrent || waiting.length === 0
            ? undefined
            : tokens < 1
              ? ((1 - tokens) / (config.throttle?.qps ?? 1)) * 1000
              : config.maxWaitMs - (clock.monotonicMs() - firstMs);
        if (waitMs === undefined) await woken;
        else {
          using _timer = clock.after(Math.max(waitMs, 1), () => wake());
          await woken;
        }
      }
      signal.removeEventListener('abort', onAbort);
      using _deadline = clock.after(flushMs, () => giveUp.abort(new Error('the server has stopped')));
      while (waiting.length > 0 && !giveUp.signal.aborted) {
        if (delivering.size < maxConcurrent) send();
        else await Promise.race(delivering);
      }
      await Promise.all(delivering);
    },
  };
}
