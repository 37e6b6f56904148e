import { BlockList, isIPv4 } from 'node:net';

/** Addresses for Services of type LoadBalancer: IPv4 CIDRs and ranges such as `192.168.1.240-192.168.1.250`. */
export interface AddressPool {
  /** As configured, for messages. */
  readonly text: string;
  contains(address: string): boolean;
  /** All addresses in order; without those that end in 0 or 255, which many devices take for networks and broadcasts. */
  addresses(): Iterable<string>;
}

export class AddressPoolError extends Error {}

/** A larger pool is taken for a typing error: its addresses are tried one by one. */
const largestRange = 2 ** 16;

const toNumber = (ip: string): number => ip.split('.').reduce((n, part) => n * 256 + Number(part), 0);
const toText = (n: number): string => [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join('.');

interface Range {
  readonly first: number;
  readonly last: number;
}

function parseRange(text: string): Range {
  const bad = new AddressPoolError(`"${text}" is neither an IPv4 CIDR nor a range such as 192.168.1.240-192.168.1.250`);
  const [from = '', to] = text.split('-');
  let range: Range;
  if (to === undefined) {
    const [ip = '', bits = '32'] = text.split('/');
    if (!isIPv4(ip) || !/^\d+$/.test(bits) || Number(bits) > 32) throw bad;
    const size = 2 ** (32 - Number(bits));
    const first = toNumber(ip) - (toNumber(ip) % size);
    range = { first, last: first + size - 1 };
  } else {
    if (!isIPv4(from.trim()) || !isIPv4(to.trim())) throw bad;
    range = { first: toNumber(from.trim()), last: toNumber(to.trim()) };
    if (range.last < range.first) throw bad;
  }
  if (range.last - range.first >= largestRange) throw new AddressPoolError(`"${text}" has more than ${largestRange} addresses`);
  return range;
}

/** undefined: no pool. Throws AddressPoolError. `taken`: CIDRs that it must not overlap (Services, pods). */
export function parseAddressPool(texts: readonly string[], taken: readonly string[] = []): AddressPool | undefined {
  const ranges = texts.map(parseRange);
  if (ranges.length === 0) return undefined;
  for (const cidr of taken.filter((c) => !c.includes(':'))) {
    const other = parseRangeOfAnySize(cidr);
    const clash = ranges.findIndex((r) => r.first <= other.last && other.first <= r.last);
    if (clash >= 0) throw new AddressPoolError(`the addresses of load balancers ${texts[clash]} overlap ${cidr}`);
  }
  const list = new BlockList();
  for (const { first, last } of ranges) list.addRange(toText(first), toText(last));
  return {
    text: texts.join(', '),
    contains: (address) => isIPv4(address) && list.check(address),
    *addresses() {
      for (const { first, last } of ranges) {
        for (let n = first; n <= last; n++) if (first === last || (n % 256 !== 0 && n % 256 !== 255)) yield toText(n);
      }
    },
  };
}

function parseRangeOfAnySize(cidr: string): Range {
  const [ip = '', bits = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  const first = toNumber(ip) - (toNumber(ip) % size);
  return { first, last: first + size - 1 };
}
