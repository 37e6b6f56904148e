import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import type { Clock, Logger } from '@skiff/component-base';

/**
 * What a process writes at its first start and must find at every further one. An etcd whose data is gone would begin an empty cluster, and
 * every kubelet would end the pods that this cluster knows nothing of.
 */
export interface KeptData {
  readonly folder: string;
  /** The data is there when the folder has a file whose name ends so. */
  readonly suffix: string;
  /** A file that says that the data was there once. */
  readonly marker: string;
  /** What to tell whoever wonders why the process does not start. */
  readonly lost: string;
}

const lookAgainMs = 250;

export function hasData(data: KeptData): boolean {
  try {
    return readdirSync(data.folder).some((name) => name.endsWith(data.suffix));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

export const isLost = (data: KeptData): boolean => existsSync(data.marker) && !hasData(data);

/** Writes the marker as soon as the data is there. Dispose of it when the process has ended. */
export function rememberData(data: KeptData, deps: { readonly clock: Clock; readonly log: Logger }): Disposable {
  let timer: Disposable | undefined;
  let saidWhy = false;
  const remember = (): boolean => {
    try {
      if (existsSync(data.marker)) return true;
      if (!hasData(data)) return false;
      writeFileSync(data.marker, '');
      return true;
    } catch (error) {
      // A full disk, say, which must not end the supervisor.
      if (!saidWhy) deps.log.warn({ err: error, file: data.marker }, 'it can not be noted that there is data; trying again');
      saidWhy = true;
      return false;
    }
  };
  const look = (): void => {
    if (!remember()) timer = deps.clock.after(lookAgainMs, look);
  };
  look();
  return { [Symbol.dispose]: () => timer?.[Symbol.dispose]() };
}
