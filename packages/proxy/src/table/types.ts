/**
 * What proxy-data knows: plain JSON, computed by proxy, sent as one snapshot and then as deltas. proxy-data takes it literally
 * and reads nothing else, so that it can go on with its last table for as long as it must.
 */
export type Protocol = 'TCP' | 'UDP';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** The endpoints that one Service port chooses from under one traffic policy. */
export interface BackendGroup {
  /** Never empty for a Service: without usable endpoints it has no frontends. */
  readonly endpoints: readonly Endpoint[];
  /** Session affinity by client address, in seconds since the client's last connection; absent: none. */
  readonly affinitySeconds?: number;
  /** Datagrams go in frames over this unix socket instead of to `endpoints` (cluster DNS). */
  readonly relaySocket?: string;
}

/** An address and port to listen on. */
export interface Frontend {
  /** `services`: the services namespace; `host`: the host's own, for node ports. */
  readonly place: 'services' | 'host';
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  /** Key of the group in the table. */
  readonly group: string;
  /** CIDRs that may connect (spec.loadBalancerSourceRanges); absent: everybody. */
  readonly sourceRanges?: readonly string[];
  /** Bound, so that it can be opened at once, and not listened on: connections are refused. Its group need not be there. */
  readonly isClosed?: true;
}

export interface TableSettings {
  /** Addresses of this node's pods: clients that are passed on under their own address. */
  readonly localPodCidrs: readonly string[];
  /** Addresses of all pods of the cluster: only towards these is the shadow turned back. */
  readonly clusterCidr: string;
  /** Same size as `clusterCidr`; address n of it stands for address n of `clusterCidr`. */
  readonly shadowCidr: string;
}

export interface DataTable {
  readonly settings: TableSettings;
  readonly groups: Readonly<Record<string, BackendGroup>>;
  readonly frontends: Readonly<Record<string, Frontend>>;
}

/** What changed; null removes. */
export interface TableDelta {
  readonly settings?: TableSettings;
  readonly groups: Readonly<Record<string, BackendGroup | null>>;
  readonly frontends: Readonly<Record<string, Frontend | null>>;
}

export const emptyTable = (settings: TableSettings): DataTable => ({ settings, groups: {}, frontends: {} });

export const formatHostPort = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
export const endpointKey = (e: Endpoint): string => formatHostPort(e.address, e.port);
export const frontendKey = (f: Pick<Frontend, 'place' | 'protocol' | 'address' | 'port'>): string =>
  `${f.place} ${f.protocol} ${formatHostPort(f.address, f.port)}`;
