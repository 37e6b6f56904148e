import type { Node } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { formatIpv4, parseCidr } from '../ipv4.ts';

/** Another node, as far as the way to its pods goes. Ranges and address are IPv4. */
export interface Peer {
  readonly name: string;
  readonly address: string;
  readonly podCidrs: readonly string[];
}

const isIpv4 = (text: string): boolean => !text.includes(':');

export const podCidrsOf = (node: DeepReadonly<Node>): readonly string[] =>
  (node.spec?.podCIDRs ?? (node.spec?.podCIDR ? [node.spec.podCIDR] : [])).filter(isIpv4);

/** Nodes other than `self` that have both a range and an address, in the order of their names. */
export function peersOf(nodes: readonly DeepReadonly<Node>[], self: string): readonly Peer[] {
  return nodes
    .flatMap((node) => {
      const name = node.metadata?.name ?? '';
      const address = node.status?.addresses?.find((a) => a.type === 'InternalIP' && isIpv4(a.address))?.address;
      const podCidrs = podCidrsOf(node);
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
