import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Logger } from '@skiff/component-base';

/**
 * What a file holds as JSON (an object or a list); `empty` when there is none. One that a power cut left empty or half written is put
 * aside as `.broken`: a node that has forgotten something is better than one that doesn't start.
 */
export async function readStateFile<T extends object>(file: string, empty: T, log: Logger): Promise<T> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.error({ err: error, file }, 'what was recorded could not be read');
    return empty;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) throw new Error('it holds something else');
    return value as T;
  } catch (error) {
    log.error({ err: error, file }, 'what was recorded is damaged, and put aside; going on without it');
    await rename(file, `${file}.broken`).catch((cause: unknown) =>
      log.error({ err: cause, file }, 'the damaged file could not be put aside'),
    );
    return empty;
  }
}

/** Replaces the file as a whole, and only once the new one is on the disk. */
export async function writeStateFile(file: string, value: object, mode = 0o644): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(value), { mode, flush: true });
  await rename(`${file}.new`, file);
}
