import { readdir } from 'node:fs/promises';
import type { Clock, Logger } from '@skiff/component-base';
import type { RunCommand } from '../host/run-command.ts';
import { createHostFirewall } from './host-firewall.ts';
import { networkNames } from './names.ts';
import { removeRoutes } from './nodes/kernel-state.ts';
import { removeVxlan } from './nodes/vxlan.ts';
import { removeUnreachable, unwirePod } from './wiring.ts';

/** Removes links, routes and packet filter rules of an instance whose pods are gone. Safe to repeat; touches no other instance. */
export async function cleanUpPodNetwork(
  o: { readonly instance: string; readonly clusterCidrs: readonly string[] },
  deps: { run: RunCommand; clock: Clock; log: Logger },
): Promise<void> {
  const names = networkNames(o.instance);
  const clusterCidrs = o.clusterCidrs.filter((c) => !c.includes(':'));
  const rules = { podCidrs: [], nonMasqueradeCidrs: [], peers: [], vxlanPort: 0, hostPorts: [], hostSource: '0.0.0.0' };
  await createHostFirewall({ names, rules }, deps).remove();
  await removeRoutes(deps.run, { vxlanLink: names.vxlanLink, clusterCidrs });
  await removeVxlan(deps.run, names.vxlanLink);
  for (const link of await readdir('/sys/class/net')) if (link.startsWith(names.linkPrefix)) await unwirePod(deps.run, link);
  for (const cidr of clusterCidrs) await removeUnreachable(deps.run, cidr);
}
