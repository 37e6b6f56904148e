import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../user-error.ts';

/** A restore that was cut off leaves the old state aside and no new one: starting then would begin an empty cluster. Throws UserError. */
export function checkRestored(rootDir: string): void {
  if (!existsSync(rootDir) || existsSync(join(rootDir, 'etcd'))) return;
  const kept = readdirSync(rootDir)
    .filter((n) => n.startsWith('etcd.replaced-'))
    .sort()
    .at(-1);
  if (kept === undefined) return;
  throw new UserError(
    `A restore was cut off: there is no etcd data in ${rootDir}, and what was there before is in ${join(rootDir, kept)}. Run \`skiff restore\` again, or take the old state back: mv ${join(rootDir, kept)} ${join(rootDir, 'etcd')}`,
    'conflict',
  );
}
