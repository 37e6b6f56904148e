import type { Clock } from '@skiff/component-base';

/** `asked`, or a rejection after `patienceMs`: what it would still have said is dropped. `what` is named in the error. */
export function inTime<T>(asked: Promise<T>, o: { readonly what: string; readonly patienceMs: number; readonly clock: Clock }): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new Error(`the container runtime did not answer within ${o.patienceMs / 1000} s (${o.what})`);
    const timer = o.clock.after(o.patienceMs, () => reject(late));
    asked.then(resolve, reject).finally(() => timer[Symbol.dispose]());
  });
}
