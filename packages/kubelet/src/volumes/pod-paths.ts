import path from 'node:path';

/** Where the kubelet keeps what belongs to one pod; upstream's layout. */
export interface PodPaths {
  readonly root: string;
  readonly hosts: string;
  readonly resolvConf: string;
  volume(plugin: string, name: string): string;
  /** Of volumes that pods use as block devices. */
  volumeDevice(plugin: string, name: string): string;
  /** One tmpfs for all that must not reach the disk. */
  readonly memory: string;
  memoryVolume(plugin: string, name: string): string;
  subPath(volume: string, container: string, index: number): string;
  /** Termination messages of all containers. */
  readonly containers: string;
  terminationLog(container: string, attempt: number): string;
}

export const podsDirectory = (rootDirectory: string): string => path.join(rootDirectory, 'pods');

export function podPaths(rootDirectory: string, uid: string): PodPaths {
  const root = path.join(podsDirectory(rootDirectory), uid);
  const memory = path.join(root, 'memory');
  return {
    root,
    hosts: path.join(root, 'etc-hosts'),
    resolvConf: path.join(root, 'resolv.conf'),
    volume: (plugin, name) => path.join(root, 'volumes', `kubernetes.io~${plugin}`, name),
    volumeDevice: (plugin, name) => path.join(root, 'volumeDevices', `kubernetes.io~${plugin}`, name),
    memory,
    memoryVolume: (plugin, name) => path.join(memory, `kubernetes.io~${plugin}`, name),
    subPath: (volume, container, index) => path.join(root, 'volume-subpaths', volume, container, String(index)),
    containers: path.join(root, 'containers'),
    terminationLog: (container, attempt) => path.join(root, 'containers', container, String(attempt)),
  };
}
