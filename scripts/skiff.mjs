#!/usr/bin/env node
/**
 * Runs the `skiff` command from a clone: installs the packages and builds what is not there or out of date, then hands over.
 * Plain JavaScript without dependencies, since it runs before there are any.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Skiff needs Node.js 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

function step(title, command, args) {
  const started = Date.now();
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', maxBuffer: 64 << 20 });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  if (result.status !== 0) {
    console.error(`✗ ${title} (${seconds} s)\n${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`);
    process.exit(1);
  }
  console.log(`✓ ${title} (${seconds} s)`);
}

/** The newest change below the folders, in ms. */
function newest(folders) {
  let latest = 0;
  const visit = (path) => {
    const facts = statSync(path);
    if (!facts.isDirectory()) latest = Math.max(latest, facts.mtimeMs);
    else for (const name of readdirSync(path)) visit(join(path, name));
  };
  for (const folder of folders) if (existsSync(folder)) visit(folder);
  return latest;
}

/** Installs and builds where needed; quick when nothing changed. */
export function prepare() {
  const lock = join(root, 'package-lock.json');
  const installed = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
    // Not `npm ci`: it refuses a lock file that lacks the optional binaries of other platforms.
    step('Installing packages', 'npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries=5']);
  }
  const stamp = join(root, 'node_modules/.skiff-built');
  const packages = join(root, 'packages');
  const sources = readdirSync(packages).map((p) => join(packages, p, 'src'));
  if (!existsSync(stamp) || statSync(stamp).mtimeMs < newest(sources)) {
    step('Building', process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b']);
    step('Bundling', process.execPath, [join(root, 'scripts/bundle.mjs')]);
    writeFileSync(stamp, '');
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  prepare();
  const child = spawn(process.execPath, [join(root, 'packages/cli/dist/main.js'), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => child.kill(name));
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
}
