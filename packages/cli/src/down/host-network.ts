import type { ClusterConfig } from '../config.ts';
import { runOk } from '../host/run.ts';
import { clusterProcesses } from '../supervisor/processes.ts';

/** Routes with which the kubelet keeps addresses without a pod from leaving the host carry this metric. */
const unreachableMetric = '4278198272';

/**
 * Removes what proxy and kubelet made on this host and leave behind when they are stopped, so that connections outlive them:
 * proxy-data with its sockets, packet filter chains, links, the services namespace.
 */
export async function removeHostNetwork(config: ClusterConfig): Promise<void> {
  const cleaners = clusterProcesses(config, { redis: false }).filter((p) => p.name === 'proxy' || p.name === 'kubelet');
  await Promise.all(cleaners.map((p) => runOk(p.command, [...p.args, '--cleanup'])));
  const routes = (await runOk('ip', ['route', 'show', 'type', 'unreachable', 'root', config.podCidr])).split('\n');
  for (const route of routes) {
    const range = route.trim().split(' ')[1];
    if (range !== undefined && route.includes(`metric ${unreachableMetric}`)) {
      await runOk('ip', ['route', 'delete', 'unreachable', range, 'metric', unreachableMetric]);
    }
  }
}
