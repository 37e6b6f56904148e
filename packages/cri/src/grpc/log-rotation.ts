import { link, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

export interface LogLimits {
  /** A file that has grown beyond it is put aside. */
  readonly maxBytes: number;
  /** The one that is written included; 2 or more. */
  readonly maxFiles: number;
}

/** Names of what was put aside for a log, oldest first. */
export async function rotatedFiles(file: string): Promise<readonly string[]> {
  const directory = path.dirname(file);
  const prefix = `${path.basename(file)}.`;
  const names = await readdir(directory).catch(() => []);
  return names
    .filter((n) => n.startsWith(prefix))
    .sort()
    .map((n) => path.join(directory, n));
}

/**
 * Puts a log aside when it has grown too large, and removes the oldest. `reopen` makes the runtime go on in a new file of the name;
 * when that fails the file is put back, unless there is a new one all the same, and the error
 * thrown. `stamp` orders the files: the time, in figures of a fixed width.
 */
export async function rotateLog(file: string, limits: LogLimits, o: { reopen: () => Promise<void>; stamp: string }): Promise<void> {
  const size = await stat(file).then(
    (s) => s.size,
    () => 0,
  );
  if (size <= limits.maxBytes) return;
  const aside = `${file}.${o.stamp}`;
  await rename(file, aside);
  try {
    await o.reopen();
  } catch (error) {
    // The runtime may have gone on in a new file and answered too late.
    const restored = await link(aside, file).then(
      () => true,
      (cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'EEXIST') throw cause;
        return false;
      },
    );
    if (restored) await rm(aside);
    throw error;
  }
  const old = await rotatedFiles(file);
  for (const name of old.slice(0, Math.max(0, old.length - (limits.maxFiles - 1)))) await rm(name, { force: true });
}
