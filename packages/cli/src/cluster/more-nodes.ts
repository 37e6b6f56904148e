import { join } from 'node:path';
import type { ClusterConfig } from '../config.ts';

export const maxNodes = 9;

/**
 * The further nodes of this host (`skiff up --nodes 3`: two), as the configuration that each would have by itself: a kubelet with a name,
 * a folder, ports, a cgroup and labels of its own, on the engine that all share. The proxy of the host serves the pods of all.
 */
export const moreNodes = (config: ClusterConfig): readonly ClusterConfig[] =>
  Array.from({ length: Math.max(0, (config.nodes ?? 1) - 1) }, (_, i) => {
    const number = i + 2;
    return {
      ...config,
      nodes: 1,
      nodeName: `${config.nodeName}-${number}`,
      instance: `${config.instance}n${number}`,
      kubeletDir: '',
      rootDir: join(config.rootDir, 'nodes', String(number)),
      kubeletPort: config.kubeletPort + 1000 * (number - 1),
      healthPortBase: config.healthPortBase + 1000 * (number - 1),
    };
  });
