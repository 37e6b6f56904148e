import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { parseDuration } from '@skiff/component-base';

export type HostRole = 'control-plane' | 'node';

/** Everything that tells one cluster on a host from another. Kept in `<rootDir>/cluster.json`, so that later commands need no flags. */
export interface ClusterConfig {
  /** What runs here: the control plane and a node, or the node of a host that joined. */
  readonly role: HostRole;
  /** URLs of apiservers for a host that joined, the one it was told of first. */
  readonly servers: readonly string[];
  readonly instance: string;
  readonly rootDir: string;
  /** The kubelet's root directory; '': `kubelet` in rootDir, as for instances with a name of their own. Never changes for a host in a cluster. */
  readonly kubeletDir: string;
  readonly nodeName: string;
  /** Nodes on this host, 1 to 9: each further one is a kubelet of its own on the same engine. */
  readonly nodes: number;
  /** The address under which this host is known to pods and to other hosts. */
  readonly nodeAddress: string;
  /** The address was given, and may be one that the host itself does not have; otherwise it follows what the host has. */
  readonly nodeAddressGiven: boolean;
  readonly securePort: number;
  readonly etcdClientPort: number;
  readonly etcdPeerPort: number;
  /** etcd is reached from other hosts: by members and apiservers of a control plane of several machines. */
  readonly etcdExposed: boolean;
  /** This host's member; '': the node's name. */
  readonly etcdName: string;
  /** name=URL of every member when this one was added; '': it was the first. */
  readonly etcdInitialCluster: string;
  /** Its first vote: until then it only follows. */
  readonly etcdPromoted: boolean;
  /** Client URLs of the members that were there then. */
  readonly etcdPeers: readonly string[];
  /** URLs of an etcd that is not Skiff's, with commas between; '': each control plane host runs a member. */
  readonly etcdServers: string;
  readonly etcdCaFile: string;
  readonly etcdCertFile: string;
  readonly etcdKeyFile: string;
  readonly kubeletPort: number;
  /** First of a few loopback ports for /healthz and /metrics: kubelet, controller-manager, scheduler, proxy, in this order. */
  readonly healthPortBase: number;
  readonly serviceCidr: string;
  readonly podCidr: string;
  readonly shadowCidr: string;
  readonly clusterDomain: string;
  /** Addresses for Services of type LoadBalancer, as CIDRs or ranges a-b with commas between; '': the nodes' own. */
  readonly loadBalancerCidr: string;
  /** How long a node may be silent before it counts as lost, in Go's syntax. Its kubelet's Lease follows. */
  readonly nodeMonitorGracePeriod: string;
  /** Nodes that were silent for so long are deleted, in Go's syntax; 0: none. */
  readonly nodeRemovalAfter: string;
  /** Seconds that pods which say nothing about it stay on a lost node. */
  readonly defaultTolerationSeconds: string;
  /** How long certificates of the cluster last, milliseconds; they are renewed long before. */
  readonly certificateLifetimeMs: number;
  readonly dockerSocket: string;
  /** unix://… of a CRI runtime that this host's pods run on; '': Docker Engine. */
  readonly containerRuntimeEndpoint: string;
  /** A duration: how often a backup is taken; '': never. */
  readonly backupInterval: string;
  /** How many of them are kept. */
  readonly backupRetention: number;
  /** Where they go; '': a folder in rootDir. */
  readonly backupDir: string;
  /** Without Redis, Events live in etcd under leases. */
  readonly redis: boolean;
}

export class ConfigError extends Error {}

/** The nth address of an IPv4 CIDR: `addressIn('10.96.0.0/16', 10)` is 10.96.0.10. */
export function addressIn(cidr: string, n: number): string {
  const [base = '', bits = ''] = cidr.split('/');
  const octets = base.split('.').map(Number);
  if (octets.length !== 4 || octets.some((o) => !Number.isInteger(o) || o < 0 || o > 255) || !/^\d+$/.test(bits) || Number(bits) > 30) {
    throw new ConfigError(`"${cidr}" is not an IPv4 range such as 10.96.0.0/16`);
  }
  const value = octets.reduce((sum, o) => sum * 256 + o, 0) + n;
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** Kubernetes' own, and enough for the grace period that goes with it. */
const usualLeaseSeconds = 40;

/**
 * Duration of a node's Lease, which is renewed every quarter of it: a node gets several chances within the grace period. Throws
 * when that is no duration, or one in which a busy node can't keep up.
 */
export function leaseDurationSeconds(gracePeriod: string): number {
  const graceMs = parseDuration(gracePeriod);
  if (graceMs === undefined || graceMs < 5_000)
    throw new ConfigError(`the grace period of nodes must be a duration of 5s or more, not "${gracePeriod}"`);
  return Math.min(usualLeaseSeconds, Math.floor((graceMs * 0.8) / 1000));
}

/** Throws ConfigError for times by which no node could be told from a lost one. */
export function checkNodeTimes(
  config: Pick<ClusterConfig, 'nodeMonitorGracePeriod' | 'nodeRemovalAfter' | 'defaultTolerationSeconds'>,
): void {
  if (parseDuration(config.nodeRemovalAfter) === undefined)
    throw new ConfigError(`--node-removal-after takes a duration such as 30m, not "${config.nodeRemovalAfter}"`);
  leaseDurationSeconds(config.nodeMonitorGracePeriod);
  if (!/^\d{1,9}$/.test(config.defaultTolerationSeconds))
    throw new ConfigError(`--default-toleration-seconds takes a number of seconds, not "${config.defaultTolerationSeconds}"`);
}

/** First address that is not loopback, link-local or one of Docker's bridges. */
export function defaultNodeAddress(): string {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (/^(docker|br-|veth|lo|skiff|sk)/.test(name)) continue;
    for (const a of addresses ?? []) if (a.family === 'IPv4' && !a.internal && !a.address.startsWith('169.254.')) return a.address;
  }
  return '127.0.0.1';
}

/** Whether the host's address was found by itself and is not there any more, as after a reboot in another network. */
export const hasLostAddress = (config: Pick<ClusterConfig, 'nodeAddress' | 'nodeAddressGiven'>): boolean =>
  !config.nodeAddressGiven && !Object.values(networkInterfaces()).some((list) => list?.some((a) => a.address === config.nodeAddress));

export const defaultConfig = (): ClusterConfig => ({
  role: 'control-plane',
  servers: [],
  instance: 'skiff',
  rootDir: '/var/lib/skiff',
  kubeletDir: '',
  nodeName: hostname().toLowerCase(),
  nodes: 1,
  nodeAddress: defaultNodeAddress(),
  nodeAddressGiven: false,
  securePort: 6443,
  etcdClientPort: 12379,
  etcdPeerPort: 12380,
  etcdExposed: false,
  etcdName: '',
  etcdInitialCluster: '',
  etcdPromoted: false,
  etcdPeers: [],
  etcdServers: '',
  etcdCaFile: '',
  etcdCertFile: '',
  etcdKeyFile: '',
  kubeletPort: 10250,
  healthPortBase: 10255,
  serviceCidr: '10.96.0.0/16',
  podCidr: '10.244.0.0/16',
  shadowCidr: '10.220.0.0/16',
  clusterDomain: 'cluster.local',
  loadBalancerCidr: '',
  nodeMonitorGracePeriod: '50s',
  nodeRemovalAfter: '0',
  defaultTolerationSeconds: '300',
  certificateLifetimeMs: 365 * 86_400_000,
  dockerSocket: '/var/run/docker.sock',
  containerRuntimeEndpoint: '',
  backupInterval: '',
  backupRetention: 7,
  backupDir: '',
  redis: true,
});

export const configPath = (rootDir: string): string => join(rootDir, 'cluster.json');

/** undefined when no cluster was ever started there. */
export function loadConfig(rootDir: string): ClusterConfig | undefined {
  if (!existsSync(configPath(rootDir))) return undefined;
  try {
    return { ...defaultConfig(), ...(JSON.parse(readFileSync(configPath(rootDir), 'utf8')) as Partial<ClusterConfig>), rootDir };
  } catch (error) {
    throw new ConfigError(`${configPath(rootDir)} can't be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function saveConfig(config: ClusterConfig): void {
  mkdirSync(config.rootDir, { recursive: true, mode: 0o755 });
  const path = configPath(config.rootDir);
  writeFileSync(`${path}.new`, `${JSON.stringify(config, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}
