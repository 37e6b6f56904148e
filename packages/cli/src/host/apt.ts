import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { run, runOk } from './run.ts';

const policyPath = '/usr/sbin/policy-rc.d';

/**
 * Installs distribution packages that are not there (none is upgraded) without starting the services in them: Skiff runs its own etcd and Redis. Throws with apt's own
 * words when it fails.
 */
export async function aptInstall(packages: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const held = !existsSync(policyPath);
  if (held) {
    writeFileSync(policyPath, '#!/bin/sh\nexit 101\n');
    chmodSync(policyPath, 0o755);
  }
  try {
    const install = ['install', '-y', '--no-install-recommends', '--no-upgrade', ...packages];
    // Lists may be absent or old: a first try without updating saves time where they are good.
    if ((await run('apt-get', install, { env })).code !== 0) {
      await runOk('apt-get', ['update'], { env });
      await runOk('apt-get', install, { env });
    }
  } finally {
    if (held) rmSync(policyPath);
  }
  if (existsSync('/run/systemd/system')) {
    for (const [pkg, unit] of [
      ['etcd-server', 'etcd'],
      ['redis-server', 'redis-server'],
    ] as const) {
      if (packages.includes(pkg)) await run('systemctl', ['disable', unit]);
    }
  }
}
