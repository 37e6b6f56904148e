import type { EndpointSlice, IPAddress, Node, Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Informer } from '@skiff/client';
import type { ZoneSource } from './dns/zone.ts';
import type { Remembered } from './remembered.ts';
import { namespacedName, serviceNameLabel } from './table/state.ts';

/** The objects that matter to the proxy, whether they come from informers or from memory. */
export interface ClusterObjects extends ZoneSource {
  readonly services: readonly DeepReadonly<Service>[];
  readonly slices: readonly DeepReadonly<EndpointSlice>[];
  /** This host's. */
  readonly node: DeepReadonly<Node> | undefined;
  readonly nodes: readonly DeepReadonly<Node>[];
  /** Addresses of load balancers that nodes announce. */
  readonly poolAddresses: readonly DeepReadonly<IPAddress>[];
}

/** `namespace/name` of the Service that a slice belongs to. */
export function ownerOf(slice: DeepReadonly<EndpointSlice>): string | undefined {
  const name = slice.metadata?.labels?.[serviceNameLabel];
  return name === undefined ? undefined : `${slice.metadata?.namespace ?? ''}/${name}`;
}
const clusterIPsOf = (s: DeepReadonly<Service>): readonly string[] =>
  (s.spec?.clusterIPs ?? [s.spec?.clusterIP ?? '']).filter((ip) => ip !== '' && ip !== 'None');
const addressesOf = (s: DeepReadonly<EndpointSlice>): readonly string[] => s.endpoints?.flatMap((e) => e.addresses) ?? [];

export interface Informers {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  readonly poolAddresses: Informer<IPAddress>;
}

/** Adds the indexes that it reads from. */
export function informedObjects(nodeName: string, { services, slices, nodes, poolAddresses }: Informers): ClusterObjects {
  slices.addIndex('service', (s) => [ownerOf(s) ?? ''].filter((k) => k !== ''));
  slices.addIndex('address', addressesOf);
  services.addIndex('address', clusterIPsOf);
  return {
    get services() {
      return services.list();
    },
    get slices() {
      return slices.list();
    },
    get node() {
      return nodes.get({ name: nodeName });
    },
    get nodes() {
      return nodes.list();
    },
    get poolAddresses() {
      return poolAddresses.list();
    },
    service: (namespace, name) => services.get({ namespace, name }),
    slicesOf: (namespace, name) => slices.byIndex('service', `${namespace}/${name}`),
    hasNamespace: (namespace) => namespace === 'default' || services.list(namespace).length > 0,
    servicesByAddress: (address) => services.byIndex('address', address),
    slicesByAddress: (address) => slices.byIndex('address', address),
  };
}

function groupBy<T>(list: readonly T[], keysOf: (item: T) => readonly string[]): (key: string) => readonly T[] {
  const groups = new Map<string, T[]>();
  for (const item of list) {
    for (const key of keysOf(item)) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [item]);
      else group.push(item);
    }
  }
  return (key) => groups.get(key) ?? [];
}

export function rememberedObjects(nodeName: string, remembered: Remembered): ClusterObjects {
  const byName = groupBy(remembered.services, (s) => [namespacedName(s)]);
  const bySpace = groupBy(remembered.services, (s) => [s.metadata?.namespace ?? '']);
  const byOwner = groupBy(remembered.slices, (s) => [ownerOf(s) ?? '']);
  return {
    ...remembered,
    node: remembered.nodes.find((n) => n.metadata?.name === nodeName),
    service: (namespace, name) => byName(`${namespace}/${name}`)[0],
    slicesOf: (namespace, name) => byOwner(`${namespace}/${name}`),
    hasNamespace: (namespace) => namespace === 'default' || bySpace(namespace).length > 0,
    servicesByAddress: groupBy(remembered.services, clusterIPsOf),
    slicesByAddress: groupBy(remembered.slices, addressesOf),
  };
}
