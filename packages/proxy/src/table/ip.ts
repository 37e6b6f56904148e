import { BlockList, isIP } from 'node:net';

/** The 32 bits of an IPv4 address. Throws on anything else. */
export function ipv4Value(address: string): number {
  if (isIP(address) !== 4) throw new Error(`"${address}" is not an IPv4 address`);
  return address.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);
}

export const formatIpv4 = (value: number): string => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');

export interface Ipv4Range {
  readonly first: number;
  readonly size: number;
}

/** Throws on anything but an IPv4 CIDR. */
export function parseIpv4Cidr(cidr: string): Ipv4Range {
  const [address = '', bits = ''] = cidr.split('/');
  if (!/^\d+$/.test(bits) || Number(bits) > 32) throw new Error(`"${cidr}" is not an IPv4 range such as 10.96.0.0/16`);
  const size = 2 ** (32 - Number(bits));
  const value = ipv4Value(address);
  return { first: value - (value % size), size };
}

export const inRange = (range: Ipv4Range, value: number): boolean => value >= range.first && value < range.first + range.size;
/** The address of the network itself, which is never given to a Service or a pod. */
export const networkAddress = (cidr: string): string => formatIpv4(parseIpv4Cidr(cidr).first);

/** `::ffff:10.0.0.1` is an IPv4 client on an IPv6 socket. */
export const plainAddress = (address: string): string => (address.startsWith('::ffff:') ? address.slice(7) : address);

/** Membership of either family in a list of CIDRs. Throws on a malformed one. */
export function cidrMatcher(cidrs: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits = ''] = cidr.trim().split('/');
    const family = isIP(address);
    if (family === 0) throw new Error(`"${cidr}" is not a CIDR`);
    list.addSubnet(address, Number(bits), family === 6 ? 'ipv6' : 'ipv4');
  }
  return (address) => list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
}

/**
 * The address in `shadowCidr` that stands for a pod's address in `clusterCidr` (the host's NETMAP rule turns it back), or
 * undefined for addresses that are none of the cluster's.
 */
export function shadowMapper(clusterCidr: string, shadowCidr: string): (address: string) => string | undefined {
  const cluster = parseIpv4Cidr(clusterCidr);
  const shadow = parseIpv4Cidr(shadowCidr);
  if (cluster.size !== shadow.size) throw new Error(`the shadow ${shadowCidr} must be as large as ${clusterCidr}`);
  return (address) => {
    if (isIP(address) !== 4) return undefined;
    const value = ipv4Value(address);
    return inRange(cluster, value) ? formatIpv4(shadow.first + (value - cluster.first)) : undefined;
  };
}
