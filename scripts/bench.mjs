#!/usr/bin/env node
/** `npm run bench`: builds, then measures (bench/main.ts). */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { prepare, root } from './skiff.mjs';

prepare();
const tsx = join(root, 'node_modules/tsx/dist/cli.mjs');
process.exit(
  spawnSync(process.execPath, ['--conditions=skiff-source', tsx, join(root, 'bench/main.ts'), ...process.argv.slice(2)], {
    stdio: 'inherit',
  }).status ?? 1,
);
