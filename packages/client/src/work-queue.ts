import type { Clock, Logger } from '@skiff/component-base';
import type { WorkQueue } from './contract.ts';

export interface WorkQueueConfig {
  /** First and longest delay of `retry`, which doubles from time to time. client-go: 5 ms and 1000 s. */
  readonly retryInitialMs?: number;
  readonly retryMaxMs?: number;
}

/**
 * client-go's work queue. Its four properties: fair (in order of addition), stingy (a key added often before it is processed is
 * processed once), any number of consumers but one key never twice at once, and a key added while it is processed comes again.
 */
export function createWorkQueue<K>(config: WorkQueueConfig, deps: { clock: Clock; log: Logger }): WorkQueue<K> & WorkQueueStatus<K> {
  const initialMs = config.retryInitialMs ?? 5;
  const maxMs = config.retryMaxMs ?? 1_000_000;
  /** Waiting to be processed, in order: a key is in here once. */
  const ready = new Set<K>();
  const processing = new Set<K>();
  /** Added while being processed. */
  const again = new Set<K>();
  const failures = new Map<K, number>();
  const delayed = new Map<K, { atMs: number; timer: Disposable }>();
  const idle: (() => void)[] = [];
  let stopped = false;

  const add = (key: K): void => {
    if (stopped) return;
    if (processing.has(key)) {
      again.add(key);
      return;
    }
    ready.add(key);
    idle.shift()?.();
  };

  /** The earlier of two requests wins. */
  const addAfter = (key: K, delayMs: number): void => {
    if (stopped) return;
    if (delayMs <= 0) return add(key);
    const atMs = deps.clock.monotonicMs() + delayMs;
    const known = delayed.get(key);
    if (known !== undefined && known.atMs <= atMs) return;
    known?.timer[Symbol.dispose]();
    const fire = (): void => {
      delayed.delete(key);
      add(key);
    };
    // setTimeout takes 2^31 ms at the most; a key that comes early only looks again.
    delayed.set(key, { atMs, timer: deps.clock.after(Math.min(delayMs, 2 ** 31 - 1), fire) });
  };

  const take = (): K | undefined => {
    for (const key of ready) {
      ready.delete(key);
      return key;
    }
    return undefined;
  };

  const worker = async (work: (key: K, signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const key = take();
      if (key === undefined) {
        await new Promise<void>((resolve) => idle.push(resolve));
        continue;
      }
      processing.add(key);
      try {
        await work(key, signal);
      } catch (error) {
        deps.log.error({ key: String(key), err: error }, 'work on a key threw');
      } finally {
        processing.delete(key);
        if (again.delete(key)) add(key);
      }
    }
  };

  return {
    add,
    addAfter,
    retry: (key) => {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      addAfter(key, Math.min(initialMs * 2 ** count, maxMs));
    },
    forget: (key) => void failures.delete(key),
    retries: (key) => failures.get(key) ?? 0,
    get length() {
      return ready.size;
    },
    process: async (work, o) => {
      stopped = false;
      const onAbort = (): void => {
        stopped = true;
        for (const { timer } of delayed.values()) timer[Symbol.dispose]();
        delayed.clear();
        for (const wake of idle.splice(0)) wake();
      };
      if (o.signal.aborted) return;
      o.signal.addEventListener('abort', onAbort, { once: true });
      await Promise.all(Array.from({ length: o.concurrency }, () => worker(work, o.signal)));
    },
  };
}

export interface WorkQueueStatus<K> {
  /** How often `retry` was called since the last `forget`. */
  retries(key: K): number;
}
