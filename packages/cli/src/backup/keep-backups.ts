import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, type Logger, parseDuration } from '@skiff/component-base';
import type { ClusterConfig } from '../config.ts';
import { backup, backupName, backupsFolder, pruneBackups } from './backup.ts';

/** After a failure; sooner than the next one would be due. */
const retryMs = 60_000;

/** When the newest backup of the folder was taken; 0: there is none. A restart of the host does not begin the interval anew. */
function newestMs(folder: string): number {
  try {
    const newest = readdirSync(folder)
      .filter((name) => /^skiff-.*Z\.tar$/.test(name))
      .toSorted()
      .at(-1);
    const match = /^skiff-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.tar$/.exec(newest ?? '');
    return match === null ? 0 : Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/** Takes a backup every `--backup-interval` and keeps the last `--backup-retention` of them. Resolves when `signal` aborts. */
export async function keepBackups(config: ClusterConfig, deps: { clock: Clock; log: Logger }, signal: AbortSignal): Promise<void> {
  const intervalMs = config.backupInterval === '' ? undefined : parseDuration(config.backupInterval);
  if (intervalMs === undefined || intervalMs === 0 || config.role !== 'control-plane') return;
  const { clock, log } = deps;
  const folder = backupsFolder(config);
  let dueMs = newestMs(folder) + intervalMs;
  for (;;) {
    await clock.sleep(Math.max(dueMs - clock.now(), 1_000), signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const made = await backup(config, { output: join(folder, backupName(clock.now())), withKeys: true, signal });
      const deleted = pruneBackups(folder, config.backupRetention);
      log.info({ ...made, deleted }, 'backup taken');
      dueMs = clock.now() + intervalMs;
    } catch (error) {
      if (signal.aborted) return;
      log.error({ err: error }, 'the backup failed; trying again soon');
      dueMs = clock.now() + Math.min(retryMs, intervalMs);
    }
  }
}
