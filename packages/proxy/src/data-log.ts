import { copyFileSync, existsSync, openSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

const limitBytes = 10 * 1024 * 1024;
const pathIn = (rootDir: string): string => join(rootDir, 'proxy-data.log');

const isFull = (path: string): boolean => existsSync(path) && statSync(path).size > limitBytes;

/** Opens the log of a proxy-data that is about to start. */
export function openDataLog(rootDir: string): number {
  const path = pathIn(rootDir);
  if (isFull(path)) renameSync(path, `${path}.1`);
  return openSync(path, 'a');
}

/** Keeps the log of a proxy-data that runs for months short: it appends to a file that it can't be told to open anew, so the file is emptied. */
export function boundDataLog(rootDir: string): void {
  const path = pathIn(rootDir);
  if (!isFull(path)) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
}
