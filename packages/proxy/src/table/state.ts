import type { EndpointSlice, Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

/** What the table is computed from; all of it comes from informers. */
export interface ProxyState {
  readonly node: NodeView;
  readonly services: readonly DeepReadonly<Service>[];
  /** Slices of a Service, by `namespace/name`. */
  slicesOf(service: string): readonly DeepReadonly<EndpointSlice>[];
  /** Addresses of this host; node ports are opened on them. */
  readonly hostAddresses: readonly string[];
  readonly dns: DnsPlace;
  /** Addresses of all nodes, which are never taken from them. */
  readonly nodeAddresses: ReadonlySet<string>;
  /** Where other nodes see whether this one can carry connections; undefined: nobody asks. */
  readonly liveness: { readonly address: string; readonly port: number } | undefined;
}

export interface NodeView {
  readonly name: string;
  /** Other nodes on this very host: their pods are local as well. */
  readonly hostMates: readonly string[];
  readonly zone: string | undefined;
  readonly podCidrs: readonly string[];
  /** Nodes that are not ready: their endpoints are used only when there are no others. */
  readonly lostNodes: readonly string[];
  readonly internalAddresses: readonly string[];
}

/** Where the built-in DNS server stands in for the Service at `address`. */
export interface DnsPlace {
  readonly address: string;
  readonly relaySocket: string;
  readonly tcp: { readonly address: string; readonly port: number };
  readonly metrics: { readonly address: string; readonly port: number } | undefined;
}

export const serviceNameLabel = 'kubernetes.io/service-name';
/** Any value: another proxy serves this Service (KEP-2447). */
export const serviceProxyNameLabel = 'service.kubernetes.io/service-proxy-name';

/** On Services and slices: not for proxies (DNS has its own reasons to look at them). */
export const headlessLabel = 'service.kubernetes.io/headless';

export const namespacedName = (object: DeepReadonly<{ metadata?: { namespace?: string; name?: string } }>): string =>
  `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
