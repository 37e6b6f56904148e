/** Bounds how much happens at once; first come, first served. */
export function createSlots(max: number): { take(signal: AbortSignal): Promise<Disposable> } {
  let used = 0;
  const queue: (() => void)[] = [];
  const release = (): void => {
    const next = queue.shift();
    if (next === undefined) used -= 1;
    else next();
  };
  return {
    take: async (signal) => {
      signal.throwIfAborted();
      if (used < max) used += 1;
      else {
        await new Promise<void>((resolve, reject) => {
          const go = (): void => {
            signal.removeEventListener('abort', stop);
            resolve();
          };
          const stop = (): void => {
            queue.splice(queue.indexOf(go), 1);
            reject(signal.reason as Error);
          };
          queue.push(go);
          signal.addEventListener('abort', stop, { once: true });
        });
      }
      let released = false;
      return {
        [Symbol.dispose]: () => {
          if (!released) release();
          released = true;
        },
      };
    },
  };
}
