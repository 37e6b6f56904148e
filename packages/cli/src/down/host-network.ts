import type { ClusterConfig } from '../config.ts';
import { runOk } from '../host/run.ts';
import { clusterProcesses } from '../supervisor/processes.ts';

/**
 * Removes what proxy and kubelet made on this host and leave behind when they are stopped, so that connections outlive them:
 * proxy-data with its sockets, packet filter chains, links, routes, the services namespace.
 */
export async function removeHostNetwork(config: ClusterConfig): Promise<void> {
  const processes = clusterProcesses(config, { redis: false });
  const cleanUp = (p: (typeof processes)[number]): Promise<string> => runOk(p.command, [...p.args, '--cleanup']);
  // Nodes of one host have routes in common: one after the other.
  const nodes = async (): Promise<void> => {
    for (const p of processes) if (p.name.startsWith('kubelet')) await cleanUp(p);
  };
  await Promise.all([nodes(), ...processes.filter((p) => p.name === 'proxy').map(cleanUp)]);
}
