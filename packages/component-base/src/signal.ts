import { setMaxListeners } from 'node:events';

/**
 * A signal that aborts with its parent and can be let go of. Node 20's `AbortSignal.any` on a long-lived parent keeps every
 * dependant for ever; this one removes its listener when it is disposed.
 */
export interface ChildSignal extends Disposable {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

export function childSignal(parent: AbortSignal, timeoutMs?: number): ChildSignal {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const onAbort = (): void => controller.abort(parent.reason);
  let timer: NodeJS.Timeout | undefined;
  if (parent.aborted) onAbort();
  else {
    parent.addEventListener('abort', onAbort, { once: true });
    if (timeoutMs !== undefined) {
      timer = setTimeout(() => controller.abort(new Error(`timed out after ${timeoutMs} ms`)), timeoutMs);
      timer.unref();
    }
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      parent.removeEventListener('abort', onAbort);
    },
  };
}

/** The signal of a whole process: aborts on SIGTERM and SIGINT; a second SIGINT ends the process at once. */
export function processSignal(): AbortSignal {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  let asked = 0;
  const stop = (name: NodeJS.Signals): void => {
    asked += 1;
    if (asked > 1 && name === 'SIGINT') process.exit(130);
    controller.abort(new Error(name));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  return controller.signal;
}

export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
