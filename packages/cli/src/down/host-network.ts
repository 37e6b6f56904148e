import type { ClusterConfig } from '../config.ts';
import { runOk } from '../host/run.ts';
import { clusterProcesses } from '../supervisor/processes.ts';

/**
 * Removes what proxy and kubelet made on this host and leave behind when they are stopped, so that connections outlive them:
 * proxy-data with its sockets, packet filter chains, links, routes, the services namespace.
 */
export async function removeHostNetwork(config: ClusterConfig): Promise<void> {
  const cleaners = clusterProcesses(config, { redis: false }).filter((p) => p.name === 'proxy' || p.name.startsWith('kubelet'));
  await Promise.all(cleaners.map((p) => runOk(p.command, [...p.args, '--cleanup'])));
}
