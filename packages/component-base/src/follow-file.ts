import { readFile } from 'node:fs/promises';
import type { Clock } from './clock.ts';

const checkMs = 10_000;

/**
 * Hands over a configuration file's content whenever it has changed, and what goes wrong with it: reading as well as what `use` throws, each
 * content once. Looks every 10 s. Throws when the file can't be read at first; resolves when `signal` aborts.
 */
export async function followFile(
  file: string,
  o: { readonly clock: Clock; readonly use: (text: string) => void; readonly failed: (error: unknown) => void },
  signal: AbortSignal,
): Promise<void> {
  let seen = await readFile(file, 'utf8');
  while (!signal.aborted) {
    await o.clock.sleep(checkMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const text = await readFile(file, 'utf8');
      if (text === seen) continue;
      seen = text;
      o.use(text);
    } catch (error) {
      o.failed(error);
    }
  }
}
