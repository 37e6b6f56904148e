import { readdir } from 'node:fs/promises';
import type { Clock, Logger } from '@skiff/component-base';
import type { RunCommand } from '../host/run-command.ts';
import { createHostFirewall } from './host-firewall.ts';
import { networkNames } from './names.ts';
import { unwirePod } from './wiring.ts';

/** Removes the links and packet filter rules of an instance whose pods are gone. Safe to repeat; touches no other instance. */
export async function cleanUpPodNetwork(instance: string, deps: { run: RunCommand; clock: Clock; log: Logger }): Promise<void> {
  const names = networkNames(instance);
  await createHostFirewall({ names, podCidr: '0.0.0.0/32', nonMasqueradeCidrs: [] }, deps).remove();
  for (const link of await readdir('/sys/class/net')) if (link.startsWith(names.linkPrefix)) await unwirePod(deps.run, link);
}
