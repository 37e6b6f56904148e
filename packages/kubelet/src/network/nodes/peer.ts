import { isIPv4 } from 'node:net';
import type { Node } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { formatIpv4, type Ipv4Range, parseCidr } from '../ipv4.ts';

/** Another node, as far as the way to its pods goes. Ranges and address are IPv4. */
export interface Peer {
  readonly name: string;
  readonly address: string;
  readonly podCidrs: readonly string[];
}

const isIpv4 = (text: string): boolean => !text.includes(':');

export const podCidrsOf = (node: DeepReadonly<Node>): readonly string[] =>
  (node.spec?.podCIDRs ?? (node.spec?.podCIDR ? [node.spec.podCIDR] : [])).filter(isIpv4);

/** Written as what it is: `10.1.0.0/24`, not `10.1.0.7/24`; undefined for what is no range at all. */
function canonicalRange(cidr: string): Ipv4Range | undefined {
  try {
    const range = parseCidr(cidr);
    const written = `${formatIpv4(range.first)}/${32 - Math.log2(range.last - range.first + 1)}`;
    return cidr === written ? range : undefined;
  } catch {
    return undefined;
  }
}
const overlap = (a: Ipv4Range, b: Ipv4Range): boolean => a.first <= b.last && b.first <= a.last;

/**
 * The ranges that count, by node: those within the cluster's that no older node has. What a Node says decides about this host's routes
 * and packet filter, so a range that is not one of the cluster's must not get that far.
 */
function acceptedRanges(
  nodes: readonly DeepReadonly<Node>[],
  self: string,
  clusterCidrs: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const cluster = clusterCidrs.filter(isIpv4).map(parseCidr);
  const age = (node: DeepReadonly<Node>): string => (node.metadata?.name === self ? '' : (node.metadata?.creationTimestamp ?? '~'));
  const taken: Ipv4Range[] = [];
  const accepted = new Map<string, readonly string[]>();
  for (const node of nodes.toSorted((a, b) => (age(a) < age(b) ? -1 : age(a) > age(b) ? 1 : 0))) {
    const own = podCidrsOf(node).filter((cidr) => {
      const range = canonicalRange(cidr);
      if (range === undefined || taken.some((t) => overlap(t, range))) return false;
      if (cluster.length > 0 && !cluster.some((c) => range.first >= c.first && range.last <= c.last)) return false;
      taken.push(range);
      return true;
    });
    accepted.set(node.metadata?.name ?? '', own);
  }
  return accepted;
}

/** Nodes other than `self` that have both a range of the cluster's and an address, in the order of their names. */
export function peersOf(nodes: readonly DeepReadonly<Node>[], self: string, clusterCidrs: readonly string[] = []): readonly Peer[] {
  const ranges = acceptedRanges(nodes, self, clusterCidrs);
  return nodes
    .flatMap((node) => {
      const name = node.metadata?.name ?? '';
      // The apiserver, as upstream's, takes any text for an address, and this one becomes part of rules and routes.
      const address = node.status?.addresses?.find((a) => a.type === 'InternalIP' && isIPv4(a.address))?.address;
      const podCidrs = ranges.get(name) ?? [];
      // A loopback address says that its host has no network.
      return name === self || address === undefined || address.startsWith('127.') || podCidrs.length === 0
        ? []
        : [{ name, address, podCidrs }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The first two addresses of a node's range belong to the node itself and are never given to pods. The first is always reached
 * through the tunnel, the second never: asking both tells which ways to the node work.
 */
export const tunnelAddress = (podCidr: string): string => formatIpv4(parseCidr(podCidr).first);
export const directAddress = (podCidr: string): string => formatIpv4(parseCidr(podCidr).first + 1);

/** The address of a node's tunnel end: all nodes compute it from its range. */
export const tunnelMac = (podCidr: string): string =>
  `0a:5c:${[24, 16, 8, 0].map((shift) => (Math.floor(parseCidr(podCidr).first / 2 ** shift) & 255).toString(16).padStart(2, '0')).join(':')}`;
