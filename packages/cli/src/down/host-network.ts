import type { ClusterConfig } from '../config.ts';
import { run } from '../host/run.ts';

/** Deletes the services namespace of this cluster; its veth pair and all sockets in it go with it. */
export async function removeHostNetwork(config: ClusterConfig): Promise<void> {
  const names = (await run('ip', ['netns', 'list'])).stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
  for (const name of names.filter((n) => n.startsWith(`${config.instance}-`))) await run('ip', ['netns', 'delete', name]);
}
