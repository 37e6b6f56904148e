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

/** An address that another host can have; a loopback address says that its host has no network. */
function isHostAddress(address: string): boolean {
  const first = Number(address.split('.', 1)[0]);
  return isIPv4(address) && first > 0 && first !== 127 && first < 224;
}

/** What decides which nodes count. */
export interface PeerRules {
  /** This node's name. */
  readonly self: string;
  /** Empty: not known. Then any range counts that is not larger than a /8 and has not this host's own address in it. */
  readonly clusterCidrs: readonly string[];
  /** What this node's own pods are in, whatever its Node says. */
  readonly ownCidrs: readonly string[];
  readonly nodeAddress: string;
}

export interface JudgedNodes {
  /** Nodes other than this one that have both a range of the cluster's and an address, in the order of their names. */
  readonly peers: readonly Peer[];
  /** Ranges that don't count, with their nodes and the reasons, for the log. */
  readonly refused: readonly string[];
}

const largestUnknown = 2 ** 24;

/**
 * The nodes that count, with the ranges that count: those within the cluster's that no older node has. What a Node says decides about
 * this host's routes and packet filter, so a range that is not one of the cluster's must not get that far.
 */
export function judgeNodes(nodes: readonly DeepReadonly<Node>[], rules: PeerRules): JudgedNodes {
  const { self } = rules;
  const cluster = rules.clusterCidrs.filter(isIpv4).map(parseCidr);
  const here = isIPv4(rules.nodeAddress) ? parseCidr(`${rules.nodeAddress}/32`) : undefined;
  const own = [...rules.ownCidrs, ...nodes.filter((node) => node.metadata?.name === self).flatMap(podCidrsOf)];
  const taken: { readonly node: string; readonly range: Ipv4Range }[] = own.flatMap((cidr) => {
    const range = canonicalRange(cidr);
    return range === undefined ? [] : [{ node: self, range }];
  });
  const refused: string[] = [];
  const objection = (range: Ipv4Range | undefined): string | undefined => {
    if (range === undefined) return 'is no range';
    const other = taken.find((t) => overlap(t.range, range));
    if (other !== undefined) return `overlaps with the one of node ${JSON.stringify(other.node)}`;
    if (cluster.length > 0)
      return cluster.some((c) => range.first >= c.first && range.last <= c.last) ? undefined : "is not within the cluster's";
    if (range.last - range.first + 1 > largestUnknown) return 'is too large';
    return here !== undefined && overlap(here, range) ? `has this host's own address ${rules.nodeAddress} in it` : undefined;
  };
  const accept = (node: DeepReadonly<Node>): readonly string[] =>
    podCidrsOf(node).filter((cidr) => {
      const range = canonicalRange(cidr);
      const why = objection(range);
      if (why === undefined && range !== undefined) taken.push({ node: node.metadata?.name ?? '', range });
      else refused.push(`the range ${JSON.stringify(cidr.slice(0, 60))} of node ${JSON.stringify(node.metadata?.name)} ${why}`);
      return why === undefined;
    });
  const age = (node: DeepReadonly<Node>): string => node.metadata?.creationTimestamp ?? '~';
  const peers = nodes
    .filter((node) => node.metadata?.name !== self)
    .toSorted((a, b) => (age(a) < age(b) ? -1 : age(a) > age(b) ? 1 : 0))
    .flatMap((node) => {
      const podCidrs = accept(node);
      // The apiserver, as upstream's, takes any text for an address, and this one becomes part of rules and routes.
      const address = node.status?.addresses?.find((a) => a.type === 'InternalIP' && isIPv4(a.address))?.address;
      if (address === undefined || !isHostAddress(address) || address === rules.nodeAddress || podCidrs.length === 0) return [];
      return [{ name: node.metadata?.name ?? '', address, podCidrs }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return { peers, refused };
}

/** Whether what was remembered of a node can be one: a file of an older version, or one that was changed, must not become rules. */
export const isUsablePeer = (p: Partial<Peer>): boolean =>
  typeof p.name === 'string' &&
  typeof p.address === 'string' &&
  isHostAddress(p.address) &&
  Array.isArray(p.podCidrs) &&
  p.podCidrs.length > 0 &&
  p.podCidrs.every((cidr) => typeof cidr === 'string' && canonicalRange(cidr) !== undefined);

/**
 * The first two addresses of a node's range belong to the node itself and are never given to pods. The first is always reached
 * through the tunnel, the second never: asking both tells which ways to the node work.
 */
export const tunnelAddress = (podCidr: string): string => formatIpv4(parseCidr(podCidr).first);
export const directAddress = (podCidr: string): string => formatIpv4(parseCidr(podCidr).first + 1);

/** The address of a node's tunnel end: all nodes compute it from its range. */
export const tunnelMac = (podCidr: string): string =>
  `0a:5c:${[24, 16, 8, 0].map((shift) => (Math.floor(parseCidr(podCidr).first / 2 ** shift) & 255).toString(16).padStart(2, '0')).join(':')}`;
