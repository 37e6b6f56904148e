import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const here = fileURLToPath(new URL('.', import.meta.url));
/** Beside this file; one folder up when this file is part of a bundle, which proxy-data never is: it loads little. */
const folder = existsSync(join(here, 'data')) ? here : join(here, '..');

/** proxy-data's program. */
export const dataMain = join(folder, 'data', `main${extension}`);

/** Identity of proxy-data's code: changes when any file that it runs does. */
export function dataVersion(): string {
  const hash = createHash('sha256');
  for (const part of ['data', 'data/host-child', 'table']) {
    const names = readdirSync(join(folder, part)).filter((name) => name.endsWith(extension) && !/\.test\.|\.d\.ts$/.test(name));
    for (const name of names.sort()) hash.update(name).update(readFileSync(join(folder, part, name)));
  }
  return hash.digest('hex').slice(0, 16);
}
