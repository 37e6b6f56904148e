import { isIP } from 'node:net';

/** The address that a name below in-addr.arpa or ip6.arpa stands for; undefined when it is incomplete or malformed. */
export function addressOfReverseName(name: string): string | undefined {
  if (name.endsWith('.in-addr.arpa')) {
    const address = name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.');
    return isIP(address) === 4 ? address : undefined;
  }
  const nibbles = name.slice(0, -'.ip6.arpa'.length).split('.').reverse();
  if (nibbles.length !== 32 || nibbles.some((n) => !/^[0-9a-f]$/.test(n))) return undefined;
  const full = Array.from({ length: 8 }, (_, i) => nibbles.slice(i * 4, i * 4 + 4).join('')).join(':');
  return compressIpv6(full);
}

/** The canonical text of an IPv6 address (RFC 5952). */
export const compressIpv6 = (address: string): string => new URL(`http://[${address}]`).hostname.slice(1, -1);

export const dashed = (address: string): string => address.replace(/[.:]/g, '-');

/** `10-1-2-3` or `2001-db8--1` as an address. */
export function undashed(label: string): string | undefined {
  const v4 = label.replaceAll('-', '.');
  if (isIP(v4) === 4) return v4;
  const v6 = label.replaceAll('-', ':');
  return isIP(v6) === 6 ? v6 : undefined;
}
