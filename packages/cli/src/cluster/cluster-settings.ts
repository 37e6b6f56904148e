import { addressIn, type ClusterConfig } from '../config.ts';

export const settingsMap = { namespace: 'kube-system', name: 'skiff-config' } as const;

export const skiffVersion = '0.1.0';
/** The Kubernetes version whose kubelet this host runs. */
export const kubernetesVersion = 'v1.36.2+skiff';

/** What hosts of one cluster agree on; kept in the ConfigMap kube-system/skiff-config. */
export type ClusterSettings = Pick<
  ClusterConfig,
  | 'serviceCidr'
  | 'podCidr'
  | 'shadowCidr'
  | 'clusterDomain'
  | 'loadBalancerCidr'
  | 'nodeMonitorGracePeriod'
  | 'nodeRemovalAfter'
  | 'defaultTolerationSeconds'
>;

/** The ConfigMap's keys. */
const keys: Readonly<Record<keyof ClusterSettings, string>> = {
  serviceCidr: 'service-cidr',
  podCidr: 'cluster-cidr',
  shadowCidr: 'shadow-cidr',
  clusterDomain: 'cluster-domain',
  loadBalancerCidr: 'load-balancer-cidr',
  nodeMonitorGracePeriod: 'node-monitor-grace-period',
  nodeRemovalAfter: 'node-removal-after',
  defaultTolerationSeconds: 'default-toleration-seconds',
};

export const renderSettings = (config: ClusterConfig): Readonly<Record<string, string>> => ({
  version: skiffVersion,
  'cluster-dns': addressIn(config.serviceCidr, 10),
  ...Object.fromEntries(Object.entries(keys).map(([field, key]) => [key, config[field as keyof ClusterSettings]])),
});

/** Reads what `renderSettings` wrote. Throws when something is missing. */
export function parseSettings(data: Readonly<Record<string, string>>): ClusterSettings {
  const settings: Record<string, string> = {};
  for (const [field, key] of Object.entries(keys)) {
    const value = data[key];
    if (value === undefined) throw new Error(`ConfigMap ${settingsMap.namespace}/${settingsMap.name} lacks "${key}"`);
    settings[field] = value;
  }
  return settings as unknown as ClusterSettings;
}
