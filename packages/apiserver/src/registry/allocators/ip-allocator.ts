import { type DeepReadonly, isStatusError, type KubeObject, type ResourceDefinition } from '@skiff/apimachinery';
import type { ObjectAccess } from '../../contract.ts';
import { familyOf, formatAddress, type IPFamily, type IPRange, parseAddress, parseRange, staticBand } from './ip-range.ts';

export interface IPAddress extends KubeObject {
  spec?: { parentRef?: { group?: string; resource?: string; namespace?: string; name?: string } };
}

export interface ServiceCIDR extends KubeObject {
  spec?: { cidrs?: string[] };
  status?: { conditions?: { type: string; status: string; reason: string; message: string; lastTransitionTime: string }[] };
}

/** New addresses come from ranges that are ready and stay. */
const isUsable = (c: DeepReadonly<ServiceCIDR>): boolean =>
  c.metadata?.deletionTimestamp === undefined && (c.status?.conditions ?? []).some((x) => x.type === 'Ready' && x.status === 'True');

/** An address that can't be given out, in upstream's words. */
export class AllocationError extends Error {
  override readonly name = 'AllocationError';
}
export const rangeIsFull = 'range is full';
const alreadyAllocated = 'provided IP is already allocated';
const otherRange = 'the provided network does not match the current range';

export const managedByLabel = 'ipaddress.kubernetes.io/managed-by';
export const managedByAllocator = 'ipallocator.k8s.io';
const familyLabel = 'ipaddress.kubernetes.io/ip-family';
const maxAttempts = 16;

export interface Owner {
  readonly namespace: string;
  readonly name: string;
}

/**
 * Gives ClusterIPs out. An address is taken by creating the IPAddress object of its name, so that any number of apiservers share the
 * ranges: creation is the compare-and-set. The cache of those objects only says where to try first.
 */
export class IPAllocator {
  readonly #configured: readonly IPRange[];
  readonly #more: () => readonly DeepReadonly<ServiceCIDR>[];
  readonly #addresses: ResourceDefinition<IPAddress>;
  readonly #objects: ObjectAccess;
  readonly #random: () => number;
  /** Taken by requests of this process that the cache does not show yet. */
  readonly #taking = new Set<string>();

  /** `cidrs`: of the configuration. `deps.cidrs`: the kind that adds to them (KEP-1880). */
  constructor(
    cidrs: readonly string[],
    deps: {
      addresses: ResourceDefinition<IPAddress>;
      cidrs?: ResourceDefinition<ServiceCIDR> | undefined;
      objects: ObjectAccess;
      random?: () => number;
    },
  ) {
    this.#configured = cidrs.map((c) => parseRange(c));
    const { cidrs: kind, objects } = deps;
    this.#more = kind === undefined ? () => [] : () => objects.list(kind);
    this.#addresses = deps.addresses;
    this.#objects = deps.objects;
    this.#random = deps.random ?? Math.random;
  }

  /** Families in the order of the configuration; the first is the default. */
  get families(): readonly IPFamily[] {
    return this.#configured.map((r) => r.family);
  }

  /** Whether the address is one to be given out. */
  contains(ip: string): boolean {
    return this.#rangeOf(ip, () => true) !== undefined;
  }

  /** The configured range first, then those of ServiceCIDR objects, in the order of their names. */
  #ranges(family: IPFamily, counts: (c: DeepReadonly<ServiceCIDR>) => boolean): readonly IPRange[] {
    const own = this.#configured.filter((r) => r.family === family);
    const more = this.#more()
      .filter(counts)
      .toSorted((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1))
      .flatMap((c) => c.spec?.cidrs ?? [])
      .map((cidr) => parseRange(cidr))
      .filter((r) => r.family === family && !own.some((o) => o.cidr === r.cidr));
    return [...own, ...more];
  }

  #rangeOf(ip: string, counts: (c: DeepReadonly<ServiceCIDR>) => boolean): IPRange | undefined {
    const address = parseAddress(ip);
    if (address === undefined) return undefined;
    return this.#ranges(familyOf(ip), counts).find((r) => address >= r.first && address <= r.last);
  }

  /** Takes this address. Throws AllocationError. */
  async allocate(ip: string, owner: Owner, dryRun: boolean): Promise<void> {
    const address = parseAddress(ip);
    const family = familyOf(ip);
    if (address === undefined || this.#rangeOf(ip, isUsable) === undefined) throw new AllocationError(otherRange);
    if (dryRun) {
      if (this.#isTaken(formatAddress(address, family))) throw new AllocationError(alreadyAllocated);
    } else if (!(await this.#take(formatAddress(address, family), family, owner))) throw new AllocationError(alreadyAllocated);
  }

  /** Takes a free address. Throws AllocationError when there is none. */
  async allocateNext(family: IPFamily, owner: Owner, dryRun: boolean): Promise<string> {
    const ranges = this.#ranges(family, isUsable);
    if (ranges.length === 0) throw new AllocationError(otherRange);
    const parts = ranges.flatMap((range) => {
      const middle = range.first + staticBand(range);
      return [[middle, range.last] as const, [range.first, middle - 1n] as const];
    });
    for (const [first, last] of parts) {
      // A lost race for one address is followed by another random one.
      for (let attempt = 0; attempt < maxAttempts; attempt++) {
        const ip = this.#findFree(first, last, family);
        if (ip === undefined) break;
        if (dryRun || (await this.#take(ip, family, owner))) return ip;
      }
    }
    throw new AllocationError(rangeIsFull);
  }

  /** `uid`: only if it is still this very allocation. */
  async release(ip: string, uid?: string): Promise<void> {
    const address = parseAddress(ip);
    if (address === undefined) return;
    try {
      await this.#objects.delete(this.#addresses, '', formatAddress(address, familyOf(ip)), uid === undefined ? {} : { uid });
    } catch (error) {
      if (!isStatusError(error) || (error.reason !== 'NotFound' && (uid === undefined || error.reason !== 'Conflict'))) throw error;
    }
  }

  /** Every IPAddress that this allocator made, by name. */
  owned(): readonly DeepReadonly<IPAddress>[] {
    return this.#objects.list(this.#addresses).filter((a) => a.metadata?.labels?.[managedByLabel] === managedByAllocator);
  }

  #isTaken(ip: string): boolean {
    return this.#taking.has(ip) || this.#objects.get(this.#addresses, '', ip) !== undefined;
  }

  /** From a random place on, round the range once. */
  #findFree(first: bigint, last: bigint, family: IPFamily): string | undefined {
    const size = last - first + 1n;
    if (size <= 0n) return undefined;
    const bounded = size > 1n << 32n ? 1n << 32n : size;
    const offset = BigInt(Math.floor(this.#random() * Number(bounded)));
    for (let i = 0n; i < bounded; i++) {
      const ip = formatAddress(first + ((offset + i) % size), family);
      if (!this.#isTaken(ip)) return ip;
    }
    return undefined;
  }

  async #take(ip: string, family: IPFamily, owner: Owner): Promise<boolean> {
    if (this.#taking.has(ip)) return false;
    this.#taking.add(ip);
    try {
      await this.#objects.create(this.#addresses, {
        metadata: { name: ip, labels: { [familyLabel]: family, [managedByLabel]: managedByAllocator } },
        spec: { parentRef: { group: '', resource: 'services', namespace: owner.namespace, name: owner.name } },
      });
      return true;
    } catch (error) {
      if (isStatusError(error) && error.reason === 'AlreadyExists') return false;
      throw error;
    } finally {
      this.#taking.delete(ip);
    }
  }
}
