import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from '@skiff/component-base';
import type { RunCommand } from '../host/command.ts';
import { removeProxyNeighbour, removeTold } from './neighbours.ts';

/** Address → interface on which this host answers for it: outlives the proxy, as the kernel's entries do. */
export const announcedPath = (rootDir: string): string => join(rootDir, 'announced.json');

export function loadAnnounced(path: string, log: Logger): Map<string, string> {
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn({ err: error, path }, "what was announced can't be read");
    return new Map();
  }
}

export function saveAnnounced(path: string, announced: ReadonlyMap<string, string>): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  writeFileSync(`${path}.new`, JSON.stringify(Object.fromEntries(announced)), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** For the removal of everything that the proxy made on this host. */
export async function withdrawAll(run: RunCommand, path: string, log: Logger): Promise<void> {
  for (const [address, link] of loadAnnounced(path, log)) {
    await removeTold(run, address, link);
    await removeProxyNeighbour(run, address, link);
  }
  rmSync(path, { force: true });
}
