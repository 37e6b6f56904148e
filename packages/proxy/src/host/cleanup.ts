import { readdirSync, readFileSync } from 'node:fs';
import type { Clock, Logger } from '@skiff/component-base';
import { announcedPath, withdrawAll } from '../announce/announced-file.ts';
import type { RunCommand } from './command.ts';
import { removeChains } from './iptables.ts';
import { hostNames } from './names.ts';
import { removeNamespace } from './namespace.ts';

/** Processes of proxy-data that serve this instance, draining ones included: found by their arguments, which only it has. */
export function findDataProcesses(instance: string): readonly number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let args: readonly string[];
    try {
      args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
    } catch {
      // It ended while we looked.
      continue;
    }
    if (
      args.some((a) => /\/data\/main\.[jt]s$/.test(a)) &&
      args.includes(`--instance=${instance}`) &&
      args.some((a) => a.startsWith('--data-version='))
    ) {
      found.push(Number(name));
    }
  }
  return found;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Ends proxy-data of the instance and removes its chains, links and namespace. Safe to repeat; touches no other instance. */
export async function cleanUpHost(instance: string, rootDir: string, deps: { run: RunCommand; clock: Clock; log: Logger }): Promise<void> {
  const names = hostNames(instance);
  for (const pid of findDataProcesses(instance)) kill(pid, 'SIGTERM');
  for (let i = 0; i < 40 && findDataProcesses(instance).length > 0; i++) await deps.clock.sleep(50);
  for (const pid of findDataProcesses(instance)) kill(pid, 'SIGKILL');
  await withdrawAll(deps.run, announcedPath(rootDir), deps.log);
  await removeChains(deps.run, Object.values(names.chains));
  await removeNamespace(deps.run, names);
}
