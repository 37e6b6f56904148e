#!/usr/bin/env node
/**
 * `npm test`: everything, from a clean clone. Installs packages and what the host lacks, then runs the static checks, the unit
 * tests, the tests against real servers and the end-to-end stories, on one host and on several. With arguments, only the named parts:
 * check, unit, integration, e2e, hosts.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { prepare, root } from './skiff.mjs';
import { ensureKubectl, otherKubectls, patientApt, unpackUnstable } from './install-kubectl.mjs';

const vitest = (project) => [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', project];
const parts = {
  check: { title: 'Static checks', args: [join(root, 'scripts/check.mjs')] },
  unit: { title: 'Unit tests', args: vitest('unit') },
  integration: {
    title: 'Tests against real servers',
    args: vitest('integration'),
    host: true,
    packages: { nft: 'nftables', openssl: 'openssl' },
  },
  e2e: { title: 'End-to-end stories', args: vitest('e2e'), host: true, packages: { curl: 'curl' } },
  hosts: {
    title: 'Stories on several hosts',
    args: vitest('hosts'),
    host: true,
    packages: { nft: 'nftables', curl: 'curl', openssl: 'openssl' },
  },
};

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (parts[name] === undefined) {
    console.error(`there is no part "${name}"; there are ${Object.keys(parts).join(', ')}`);
    process.exit(2);
  }
}
const chosen = Object.entries(parts).filter(([name]) => wanted.length === 0 || wanted.includes(name));

prepare();
const env = { ...process.env, TESTCONTAINERS_RYUK_DISABLED: 'true' };
if (chosen.some(([, part]) => part.host)) {
  const setup = spawnSync(process.execPath, [join(root, 'packages/cli/dist/main.js'), 'setup'], { stdio: 'inherit' });
  if (setup.status !== 0) process.exit(1);
  env.SKIFF_KUBECTL = ensureKubectl();
  env.SKIFF_MORE_KUBECTLS ??= otherKubectls().join(':');
}
/** Whether apt-get could do it. Another one that holds the lock of the lists, for which apt itself does not wait, is waited for: 5 minutes. */
function apt(...args) {
  const end = Date.now() + 300_000;
  for (;;) {
    const { status, stderr } = spawnSync('apt-get', [...patientApt, ...args], {
      stdio: ['inherit', 'inherit', 'pipe'],
      encoding: 'utf8',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    });
    process.stderr.write(stderr ?? '');
    if (status === 0 || !stderr?.includes('Could not get lock') || Date.now() > end) return status === 0;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
  }
}
/** Programs that only tests need, with the Debian packages that have them. */
for (const [program, debianPackage] of chosen.flatMap(([, part]) => Object.entries(part.packages ?? {}))) {
  if (spawnSync('which', [program]).status === 0) continue;
  const install = () => apt('install', '-y', '--no-install-recommends', debianPackage);
  // A new machine's lists may be empty or old.
  const installed = install() || (apt('update') && install());
  if (!installed) throw new Error(`the tests need ${program} (Debian package ${debianPackage})`);
}
// Once, before several tests at a time ask for them.
if (chosen.some(([name]) => name === 'hosts'))
  for (const name of ['docker.io', 'containerd', 'tini-static', 'docker-cli']) unpackUnstable(name);
if (chosen.some(([name]) => name === 'integration')) {
  try {
    unpackUnstable('etcd-server');
  } catch (error) {
    console.warn(`etcd 3.5 can't be had, its tests say that they are skipped: ${String(error).slice(0, 200)}`);
  }
}
for (const [, part] of chosen) {
  const started = Date.now();
  console.log(`\n== ${part.title}`);
  const result = spawnSync(process.execPath, part.args, { cwd: root, stdio: 'inherit', env });
  console.log(`== ${part.title}: ${result.status === 0 ? 'passed' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(0)} s)`);
  if (result.status !== 0) process.exit(1);
}
