import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandFailed, run } from './run.ts';

const policyPath = '/usr/sbin/policy-rc.d';
/** A machine that has just come up looks for its own updates for a while. */
const lockWaitMs = 300_000;
const options = ['-o', `DPkg::Lock::Timeout=${lockWaitMs / 1000}`, '-o', 'Acquire::Retries=5'];

/** Runs apt-get; another one that holds a lock (apt itself waits for some of them only) is waited for, up to five minutes. Throws with its own words. */
export async function apt(args: readonly string[], pauseMs = 2_000): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const endMs = performance.now() + lockWaitMs;
  for (;;) {
    const { code, stderr, stdout } = await run('apt-get', [...options, ...args], { env });
    if (code === 0) return;
    if (!stderr.includes('Could not get lock') || performance.now() > endMs)
      throw new CommandFailed(
        `apt-get ${args.join(' ')} failed (exit code ${code}):\n  ${(stderr || stdout).trim().split('\n').slice(-6).join('\n  ')}`,
      );
    await sleep(pauseMs);
  }
}

/**
 * Installs distribution packages that are not there (none is upgraded) without starting the services in them: Skiff runs its own etcd and Redis. Throws with apt's own
 * words when it fails.
 */
export async function aptInstall(packages: readonly string[]): Promise<void> {
  const held = !existsSync(policyPath);
  if (held) {
    writeFileSync(policyPath, '#!/bin/sh\nexit 101\n');
    chmodSync(policyPath, 0o755);
  }
  try {
    const install = ['install', '-y', '--no-install-recommends', '--no-upgrade', ...packages];
    // Lists may be absent or old: a first try without updating saves time where they are good.
    await apt(install).catch(async () => {
      await apt(['update']);
      await apt(install);
    });
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
