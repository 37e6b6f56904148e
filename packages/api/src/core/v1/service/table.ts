import type { DeepReadonly } from '@skiff/apimachinery';
import type { Service } from '../../../generated/types/core-v1.ts';
import { loadBalancerAddresses } from '../../../load-balancer-addresses.ts';
import { age, defineTable, formatLabels, nameColumn, nameOf, orNone, wide } from '../../../table.ts';

function externalIP(service: DeepReadonly<Service>): string {
  const externalIPs = service.spec?.externalIPs ?? [];
  switch (service.spec?.type) {
    case 'ClusterIP':
    case 'NodePort':
      return orNone(externalIPs.join(','));
    case 'LoadBalancer': {
      const balancer = loadBalancerAddresses(service.status?.loadBalancer?.ingress);
      return [...(balancer === '' ? [] : [balancer]), ...externalIPs].join(',') || '<pending>';
    }
    case 'ExternalName':
      return service.spec.externalName ?? '';
    default:
      return '<unknown>';
  }
}

const ports = (service: DeepReadonly<Service>): string =>
  (service.spec?.ports ?? []).map((p) => `${p.port}${p.nodePort ? `:${p.nodePort}` : ''}/${p.protocol ?? ''}`).join(',');

export const serviceTable = defineTable<Service>(
  [nameColumn, 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', wide('Selector')],
  (service, nowMs) => [
    nameOf(service),
    service.spec?.type ?? '',
    service.spec?.clusterIPs?.[0] ?? '<none>',
    externalIP(service),
    orNone(ports(service)),
    age(service, nowMs),
    formatLabels(service.spec?.selector),
  ],
);
