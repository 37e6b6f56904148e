import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const here = fileURLToPath(new URL('.', import.meta.url));

/** proxy-data's program, beside this file. */
export const dataMain = join(here, 'data', `main${extension}`);

/** Identity of proxy-data's code: changes when any file that it runs does. */
export function dataVersion(): string {
  const hash = createHash('sha256');
  for (const folder of ['data', 'table']) {
    const names = readdirSync(join(here, folder)).filter((name) => name.endsWith(extension) && !/\.test\.|\.d\.ts$/.test(name));
    for (const name of names.sort()) hash.update(name).update(readFileSync(join(here, folder, name)));
  }
  return hash.digest('hex').slice(0, 16);
}
