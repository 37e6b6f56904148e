/**
 * Lets one caller pass in each turn of the event loop, the first of them at once and the others in their order: what each then does holds
 * the loop for a moment, and between two of them everybody else comes to his own.
 */
export function createTurns(): () => Promise<void> {
  const waiting: (() => void)[] = [];
  let taken = false;
  const next = (): void => {
    const pass = waiting.shift();
    if (pass === undefined) {
      taken = false;
      return;
    }
    setImmediate(next);
    pass();
  };
  return async () => {
    if (taken) return await new Promise((resolve) => waiting.push(resolve));
    taken = true;
    setImmediate(next);
  };
}
