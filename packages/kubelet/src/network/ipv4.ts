export function parseIpv4(text: string): number {
  const parts = text.split('.').map(Number);
  if (parts.length !== 4 || parts.some((p) => !Number.isInteger(p) || p < 0 || p > 255))
    throw new Error(`"${text}" is not an IPv4 address`);
  return parts.reduce((sum, p) => sum * 256 + p, 0);
}

export const formatIpv4 = (value: number): string => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');

export interface Ipv4Range {
  /** First and last address of the range, network and broadcast included. */
  readonly first: number;
  readonly last: number;
}

export function parseCidr(cidr: string): Ipv4Range {
  const [address, bits] = cidr.split('/');
  const length = Number(bits);
  if (address === undefined || !Number.isInteger(length) || length < 0 || length > 32) throw new Error(`"${cidr}" is not an IPv4 range`);
  const size = 2 ** (32 - length);
  const first = Math.floor(parseIpv4(address) / size) * size;
  return { first, last: first + size - 1 };
}
