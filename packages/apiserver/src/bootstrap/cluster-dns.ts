import { service, type Service } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import type { ObjectAccess } from '../contract.ts';
import { ensureObject } from './ensure.ts';

/** The address at which every installer puts DNS: the tenth of the range. undefined for a range that isn't IPv4. */
export function clusterDnsAddress(cidr: string): string | undefined {
  const network = cidr.split('/')[0] ?? '';
  if (network.includes(':')) return undefined;
  const parts = network.split('.');
  return [...parts.slice(0, 3), String(Number(parts[3]) + 10)].join('.');
}

/**
 * The Service kube-system/kube-dns, which clients look for (`kubectl cluster-info`); it has no endpoints, since each node's proxy
 * answers at its address. One that is there already is left alone, as is an address that someone else took.
 */
export async function ensureClusterDns(objects: ObjectAccess, config: { serviceClusterIpRanges: readonly string[] }): Promise<void> {
  const clusterIP = clusterDnsAddress(config.serviceClusterIpRanges[0] ?? '');
  if (clusterIP === undefined) return;
  const labels = { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' };
  const wanted: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kube-dns', namespace: 'kube-system', labels },
    spec: {
      clusterIP,
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
        { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
        { name: 'metrics', port: 9153, protocol: 'TCP', targetPort: 9153 },
      ],
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
  };
  try {
    await ensureObject<Service>(objects, service, wanted);
  } catch (error) {
    if (!hasReason(error, 'Invalid')) throw error;
  }
}
