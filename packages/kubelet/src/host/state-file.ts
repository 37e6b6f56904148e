import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Logger } from '@skiff/component-base';

/**
 * What a file holds as JSON; `empty` when there is none. One that a power cut left empty or half written, or that is not as `isUsable`
 * wants it, is put aside as `.broken`: a node that has forgotten something is better than one that doesn't start.
 */
export async function readStateFile<T extends object>(
  file: string,
  o: { readonly empty: T; readonly isUsable: (value: object) => boolean; readonly log: Logger },
): Promise<T> {
  const { empty, log } = o;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.error({ err: error, file }, 'what was recorded could not be read');
    return empty;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !o.isUsable(value)) throw new Error('it holds something else');
    return value as T;
  } catch (error) {
    log.error({ err: error, file }, 'what was recorded is damaged, and put aside; going on without it');
    await rename(file, `${file}.broken`).catch((cause: unknown) =>
      log.error({ err: cause, file }, 'the damaged file could not be put aside'),
    );
    return empty;
  }
}

/** Replaces the file as a whole, and only once the new one is on the disk: on a full one the old file stays. */
export async function writeStateFile(file: string, value: object, mode = 0o644): Promise<void> {
  const half = `${file}.new`;
  try {
    await writeFile(half, JSON.stringify(value), { mode, flush: true });
    await rename(half, file);
  } catch (error) {
    // Where there is no room, half a file takes some.
    await rm(half, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** An object, not a list, whose values are objects. */
export const isMapOfObjects = (value: object): boolean =>
  !Array.isArray(value) && Object.values(value).every((v) => typeof v === 'object' && v !== null && !Array.isArray(v));
