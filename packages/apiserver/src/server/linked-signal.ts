import { childSignal } from '@skiff/component-base';

/** Aborts with either; dispose when done. */
export function linkedSignal(a: AbortSignal, b: AbortSignal): { readonly signal: AbortSignal } & Disposable {
  const child = childSignal(a);
  const onAbort = (): void => child.abort(b.reason);
  if (b.aborted) onAbort();
  else b.addEventListener('abort', onAbort, { once: true });
  return {
    signal: child.signal,
    [Symbol.dispose]: () => {
      b.removeEventListener('abort', onAbort);
      child[Symbol.dispose]();
    },
  };
}
