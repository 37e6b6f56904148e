import type { LoadBalancerIngress } from '@skiff/api';
import { addressOfNode, listeningPorts, nameOf, type NodeView, type ServiceView } from './service-facts.ts';

/** Why a Service has no address now: goes into an Event and a condition. */
export interface Refusal {
  readonly reason: 'NoFreeAddress' | 'AddressNotAvailable' | 'PortConflict' | 'NoNodes';
  readonly message: string;
}
export type Assignment = { readonly ingress: readonly LoadBalancerIngress[] } | { readonly refusal: Refusal };

const ageOrder = (a: ServiceView, b: ServiceView): number => {
  const key = (s: ServiceView): string =>
    `${(s.status?.loadBalancer?.ingress ?? []).length > 0 ? 0 : 1} ${s.metadata?.creationTimestamp ?? ''} ${nameOf(s)}`;
  return key(a) < key(b) ? -1 : 1;
};

/**
 * Without a pool a Service is reached at the nodes' own addresses. There, every port has one Service: who has it keeps it, then
 * the older one gets it. `rivals`: all Services that want such an address, this one or not.
 */
export function assignNodeAddresses(
  service: ServiceView,
  o: { readonly nodes: readonly NodeView[]; readonly rivals: readonly ServiceView[] },
): Assignment {
  const mine = new Set(listeningPorts(service));
  for (const rival of o.rivals) {
    if (rival.metadata?.uid === service.metadata?.uid || ageOrder(service, rival) < 0) continue;
    const port = listeningPorts(rival).find((p) => mine.has(p));
    if (port !== undefined) {
      const message = `port ${port} of the nodes' addresses is taken by Service ${nameOf(rival)}; use another port, or give the cluster a pool of addresses (--load-balancer-cidr)`;
      return { refusal: { reason: 'PortConflict', message } };
    }
  }
  const addresses = [...new Set(o.nodes.map(addressOfNode).filter((a) => a !== undefined))].sort();
  const wanted = service.spec?.loadBalancerIP ?? '';
  if (wanted !== '' && !addresses.includes(wanted)) {
    const message = `${wanted} (spec.loadBalancerIP) is no address of a node that serves load balancers, and there is no pool of addresses`;
    return { refusal: { reason: 'AddressNotAvailable', message } };
  }
  if (addresses.length === 0) return { refusal: { reason: 'NoNodes', message: 'there are no available nodes' } };
  // Mode Proxy: other nodes must not take the address of a node for their own.
  return { ingress: (wanted === '' ? addresses : [wanted]).map((ip) => ({ ip, ipMode: 'Proxy' })) };
}
