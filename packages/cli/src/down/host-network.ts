import type { ClusterConfig } from '../config.ts';
import { runOk } from '../host/run.ts';
import { mainOf } from '../supervisor/processes.ts';

/** Removes what the proxy made on this host: proxy-data with all its sockets, packet filter chains, the veth pair, the services namespace. */
export async function removeHostNetwork(config: ClusterConfig): Promise<void> {
  await runOk(process.execPath, [mainOf('proxy'), '--cleanup', `--instance=${config.instance}`]);
}
