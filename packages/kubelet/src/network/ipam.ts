import type { Clock } from '@skiff/component-base';
import { formatIpv4, type Ipv4Range, parseCidr } from './ipv4.ts';

/** A released address rests so long before it is given out again, unless there is no other. */
const coolDownMs = 30_000;

/**
 * Addresses of one node's pods. Given out in a round, so that an address comes back as late as possible: whoever still talks to
 * the old pod must not reach the new one. The first (network), second (kept for a gateway) and last address are never used.
 */
export interface AddressPool {
  /** Throws when none is left. */
  allocate(owner: string): string;
  /** Marks an address that a running sandbox has. Throws when somebody else has it; ignored outside the range. */
  adopt(address: string, owner: string): void;
  release(owner: string): void;
  owners(): readonly string[];
  readonly size: number;
}

export function createAddressPool(cidr: string, clock: Clock): AddressPool {
  const range: Ipv4Range = parseCidr(cidr);
  const lowest = range.first + 2;
  const highest = range.last - 1;
  const owners = new Map<number, string>();
  const releasedAtMs = new Map<number, number>();
  let next = lowest;

  const take = (value: number, owner: string): string => {
    owners.set(value, owner);
    releasedAtMs.delete(value);
    next = value >= highest ? lowest : value + 1;
    return formatIpv4(value);
  };

  return {
    get size() {
      return owners.size;
    },
    owners: () => [...new Set(owners.values())],
    allocate: (owner) => {
      let oldest: { value: number; atMs: number } | undefined;
      for (let i = 0, value = next; i <= highest - lowest; i++, value = value >= highest ? lowest : value + 1) {
        if (owners.has(value)) continue;
        const atMs = releasedAtMs.get(value);
        if (atMs === undefined || clock.now() - atMs >= coolDownMs) return take(value, owner);
        if (oldest === undefined || atMs < oldest.atMs) oldest = { value, atMs };
      }
      if (oldest !== undefined) return take(oldest.value, owner);
      throw new Error(`no address is left in ${cidr}`);
    },
    adopt: (address, owner) => {
      const { first: value } = parseCidr(`${address}/32`);
      if (value < range.first || value > range.last) return;
      const present = owners.get(value);
      if (present !== undefined && present !== owner) throw new Error(`${address} belongs to ${present}`);
      take(value, owner);
    },
    release: (owner) => {
      for (const [value, present] of owners) {
        if (present !== owner) continue;
        owners.delete(value);
        releasedAtMs.set(value, clock.now());
      }
    },
  };
}
