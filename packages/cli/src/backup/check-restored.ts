import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { etcdData } from '../supervisor/etcd-process.ts';
import { isLost } from '../supervisor/kept-data.ts';
import { UserError } from '../user-error.ts';

/** A restore that was cut off leaves the old state aside and no new one, and data can be lost: starting then would begin an empty cluster. Throws UserError. */
export function checkRestored(rootDir: string): void {
  if (!existsSync(rootDir) || existsSync(join(rootDir, 'etcd/member'))) return;
  const kept = readdirSync(rootDir)
    .filter((n) => n.startsWith('etcd.replaced-'))
    .sort()
    .at(-1);
  if (kept === undefined) {
    const data = etcdData(rootDir);
    if (isLost(data)) throw new UserError(`Not started: ${data.lost}.`, 'conflict');
    return;
  }
  throw new UserError(
    `A restore was cut off: there is no etcd data in ${rootDir}, and what was there before is in ${join(rootDir, kept)}. Run \`skiff restore\` again, or take the old state back: mv ${join(rootDir, kept)} ${join(rootDir, 'etcd')}`,
    'conflict',
  );
}
