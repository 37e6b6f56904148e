import { formatIP, isIPv6, parseIP } from '@skiff/apimachinery';

export type IPFamily = 'IPv4' | 'IPv6';

/** The addresses of a service CIDR that may be given out. */
export interface IPRange {
  readonly cidr: string;
  readonly family: IPFamily;
  readonly first: bigint;
  readonly last: bigint;
}

export const familyOf = (ip: string): IPFamily => (isIPv6(ip) ? 'IPv6' : 'IPv4');

/** undefined: no address. */
export function parseAddress(ip: string): bigint | undefined {
  const value = parseIP(ip);
  return value === undefined ? undefined : [...value.bytes].reduce((n, byte) => n * 256n + BigInt(byte), 0n);
}

/** In canonical text: what names an IPAddress object. */
export function formatAddress(n: bigint, family: IPFamily): string {
  const bytes = Array.from({ length: family === 'IPv4' ? 4 : 16 }, () => 0);
  for (let i = bytes.length - 1, rest = n; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n);
  return formatIP({ family: family === 'IPv4' ? 4 : 6, bytes });
}

/** Without the network's own address and, for IPv4, the broadcast address. Throws on what is no CIDR. */
export function parseRange(cidr: string): IPRange {
  const [ip = '', bits = ''] = cidr.split('/');
  const address = parseAddress(ip);
  const family = familyOf(ip);
  const width = family === 'IPv4' ? 32 : 128;
  const prefix = Number(bits);
  if (address === undefined || !/^\d+$/.test(bits) || prefix > width) throw new Error(`"${cidr}" is no service CIDR`);
  const size = 1n << BigInt(width - prefix);
  const network = address - (address % size);
  return { cidr, family, first: network + 1n, last: network + size - (family === 'IPv4' ? 2n : 1n) };
}

/**
 * The lower part of a range is left to those who ask for an address by name (KEP-3070): min(max(16, size/16), 256) of them; what is
 * picked comes from above, and from below only when that is full.
 */
export function staticBand(range: IPRange): bigint {
  const size = range.last - range.first + 1n;
  if (size <= 16n) return 0n;
  const share = size / 16n;
  return share < 16n ? 16n : share > 256n ? 256n : share;
}
