import { BlockList, isIPv6 } from 'node:net';

const bitsOf = (ip: string): number => (isIPv6(ip) ? 128 : 32);

function toNumber(ip: string): bigint {
  if (!isIPv6(ip)) return ip.split('.').reduce((n, part) => (n << 8n) | BigInt(part), 0n);
  const [head = '', tail] = ip.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return all.reduce((n, part) => (n << 16n) | BigInt(`0x${part}`), 0n);
}
function toText(value: bigint, bits: number): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  // URL knows the canonical form of an IPv6 address (RFC 5952).
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

export interface Cidr {
  readonly address: bigint;
  readonly prefix: number;
  readonly bits: number;
}

/** Throws for what is no CIDR. Host bits are cleared. */
export function parseCidr(text: string): Cidr {
  const [ip = '', length = ''] = text.split('/');
  const list = new BlockList();
  const prefix = Number(length);
  list.addSubnet(ip, prefix, isIPv6(ip) ? 'ipv6' : 'ipv4');
  const bits = bitsOf(ip);
  const hostBits = BigInt(bits - prefix);
  return { address: (toNumber(ip) >> hostBits) << hostBits, prefix, bits };
}
export const formatCidr = (c: Cidr): string => `${toText(c.address, c.bits)}/${c.prefix}`;

export function overlaps(a: Cidr, b: Cidr): boolean {
  if (a.bits !== b.bits) return false;
  const shift = BigInt(a.bits - Math.min(a.prefix, b.prefix));
  return a.address >> shift === b.address >> shift;
}

/** The first part of `cluster` with `maskSize` that none of `taken` overlaps; undefined when there is none left. */
export function firstFree(cluster: Cidr, maskSize: number, taken: readonly Cidr[]): Cidr | undefined {
  const step = 1n << BigInt(cluster.bits - maskSize);
  const end = cluster.address + (1n << BigInt(cluster.bits - cluster.prefix));
  const used = taken.filter((t) => overlaps(t, cluster));
  for (let address = cluster.address; address < end; ) {
    const candidate: Cidr = { address, prefix: maskSize, bits: cluster.bits };
    const hit = used.find((t) => overlaps(t, candidate));
    if (hit === undefined) return candidate;
    // Past what is in the way, in whole steps.
    const hitEnd = hit.address + (1n << BigInt(hit.bits - hit.prefix));
    const next = cluster.address + ((hitEnd - cluster.address + step - 1n) / step) * step;
    address = next > address ? next : address + step;
  }
  return undefined;
}
