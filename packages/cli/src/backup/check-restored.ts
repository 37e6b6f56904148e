import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterConfig } from '../config.ts';
import { etcdData, isExternalEtcd } from '../supervisor/etcd-process.ts';
import { hasData, isLost } from '../supervisor/kept-data.ts';
import { UserError } from '../user-error.ts';

/** A restore that was cut off leaves the old state aside and no new one, and data can be lost: starting then would begin an empty cluster. Throws UserError. */
export function checkRestored(config: ClusterConfig): void {
  const { rootDir } = config;
  const data = etcdData(config);
  if (isExternalEtcd(config) || !existsSync(rootDir) || hasData(data)) return;
  const kept = readdirSync(rootDir)
    .filter((n) => n.startsWith('etcd.replaced-'))
    .sort()
    .at(-1);
  // What a restore keeps stays after it has come to its end, too.
  const isCutOff = kept !== undefined && !existsSync(join(rootDir, 'etcd'));
  if (!isCutOff && isLost(data)) throw new UserError(`Not started: ${data.lost}.`, 'conflict');
  if (kept === undefined) return;
  throw new UserError(
    `A restore was cut off: there is no etcd data in ${rootDir}, and what was there before is in ${join(rootDir, kept)}. Run \`skiff restore\` again, or take the old state back: mv ${join(rootDir, kept)} ${join(rootDir, 'etcd')}`,
    'conflict',
  );
}
