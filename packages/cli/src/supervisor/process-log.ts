import { closeSync, copyFileSync, openSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Logger } from '@skiff/component-base';

const limitBytes = 20 * 1024 * 1024;
const checkMs = 60_000;

const pathOf = (rootDir: string, name: string): string => join(rootDir, 'log', `${name}.log`);
const isTooLong = (path: string, limit: number): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > limit;

/** Opens a process's log to be appended to. Keeps one older file beside it. The caller closes the descriptor. */
export function openLog(rootDir: string, name: string): number {
  const path = pathOf(rootDir, name);
  if (isTooLong(path, limitBytes)) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o640);
}

/** Copies a log that has grown too long aside and empties it, while its process goes on appending. A line written in between is lost. */
export function shortenLog(rootDir: string, name: string, limit = limitBytes): boolean {
  const path = pathOf(rootDir, name);
  if (!isTooLong(path, limit)) return false;
  closeSync(openSync(`${path}.1`, 'a', 0o640));
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
  return true;
}

/** Keeps the logs of running processes from filling the disk. Resolves when `signal` aborts. */
export async function keepLogsShort(
  config: { readonly rootDir: string; readonly names: readonly string[] },
  deps: { readonly clock: Clock; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  while (!signal.aborted) {
    let timer: Disposable | undefined;
    const due = new Promise<void>((resolve) => {
      timer = deps.clock.after(checkMs, resolve);
    });
    await Promise.race([due, stopped]);
    timer?.[Symbol.dispose]();
    if (signal.aborted) return;
    for (const name of config.names) {
      try {
        shortenLog(config.rootDir, name);
      } catch (error) {
        deps.log.warn({ process: name, err: error }, 'the log could not be shortened');
      }
    }
  }
}
