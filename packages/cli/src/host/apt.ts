import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandFailed, run } from './run.ts';

const policyPath = '/usr/sbin/policy-rc.d';
/** Known again by its words when whoever wrote it was killed. */
const policy = '#!/bin/sh\n# Written by Skiff while it installs packages: their services are not started.\nexit 101\n';
const lockHeld = 'Could not get lock';
/** A machine that has just come up looks for its own updates for a while. */
const lockWaitMs = 300_000;
const options = ['-o', `DPkg::Lock::Timeout=${lockWaitMs / 1000}`, '-o', 'Acquire::Retries=5'];

/** Runs apt-get; another one that holds a lock (apt itself waits for some of them only) is waited for, up to five minutes. Throws with its own words. */
export async function apt(
  args: readonly string[],
  o: { readonly pauseMs?: number; readonly note?: (text: string) => void } = {},
): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const endMs = performance.now() + lockWaitMs;
  for (;;) {
    const { code, stderr, stdout } = await run('apt-get', [...options, ...args], { env });
    if (code === 0) return;
    if (!stderr.includes(lockHeld) || performance.now() > endMs)
      throw new CommandFailed(
        `apt-get ${args.join(' ')} failed (exit code ${code}):\n  ${(stderr || stdout).trim().split('\n').slice(-6).join('\n  ')}`,
      );
    o.note?.('waiting for another apt-get that is at work');
    await sleep(o.pauseMs ?? 2_000);
  }
}

/** Does the work while no package starts its services. What forbids them goes with the work, also when a signal ends this process. */
export async function withoutServices(work: () => Promise<void>, path = policyPath): Promise<void> {
  // An administrator's own policy stays.
  if (existsSync(path) && readFileSync(path, 'utf8') !== policy) return work();
  const remove = (): void => rmSync(path, { force: true });
  const interrupted = (signal: NodeJS.Signals): void => {
    remove();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, interrupted);
  try {
    writeFileSync(path, policy);
    chmodSync(path, 0o755);
    await work();
  } finally {
    for (const signal of signals) process.off(signal, interrupted);
    remove();
  }
}

/**
 * Installs distribution packages that are not there (none is upgraded) without starting the services in them: Skiff runs its own etcd and Redis. Throws with apt's own
 * words when it fails.
 */
export async function aptInstall(packages: readonly string[], note: (text: string) => void): Promise<void> {
  const install = ['install', '-y', '--no-install-recommends', '--no-upgrade', ...packages];
  await withoutServices(() =>
    // Lists may be absent or old: a first try without updating saves time where they are good.
    apt(install, { note }).catch(async (error: unknown) => {
      if (error instanceof Error && error.message.includes(lockHeld)) throw error;
      await apt(['update'], { note });
      await apt(install, { note });
    }),
  );
  if (existsSync('/run/systemd/system')) {
    for (const [pkg, unit] of [
      ['etcd-server', 'etcd'],
      ['redis-server', 'redis-server'],
    ] as const) {
      if (packages.includes(pkg)) await run('systemctl', ['disable', unit]);
    }
  }
}
