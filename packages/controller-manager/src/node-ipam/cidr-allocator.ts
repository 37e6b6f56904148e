import { type Cidr, firstFree, formatCidr, overlaps } from './cidr-set.ts';

/** So many nodes that are gone are remembered. */
const maxRemembered = 1_000;

/**
 * Chooses ranges of nodes. A node that comes back under its name gets what it had, since its host may still run pods with those
 * addresses; others get it only when nothing else is left, and then what has been free for longest.
 */
export interface CidrAllocator {
  /** One range of each cluster range; undefined when one of them has no room beside `taken`. */
  allocate(name: string, taken: readonly Cidr[]): readonly Cidr[] | undefined;
  /** A node with these ranges is gone. */
  release(name: string, cidrs: readonly Cidr[]): void;
}

export function createCidrAllocator(o: {
  readonly clusters: readonly Cidr[];
  readonly maskSize: (cluster: Cidr) => number;
}): CidrAllocator {
  /** In the order of release. */
  const resting = new Map<string, readonly Cidr[]>();

  const pick = (cluster: Cidr, taken: readonly Cidr[]): Cidr | undefined => {
    const rest = [...resting.values()].flat();
    // The ones released first are the first to be used again.
    for (let spared = 0; spared <= rest.length; spared++) {
      const found = firstFree(cluster, o.maskSize(cluster), [...taken, ...rest.slice(spared)]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const fits = (cidrs: readonly Cidr[], taken: readonly Cidr[]): boolean =>
    cidrs.length === o.clusters.length &&
    cidrs.every((c, i) => {
      const cluster = o.clusters[i];
      return cluster !== undefined && c.prefix === o.maskSize(cluster) && overlaps(c, cluster) && !taken.some((t) => overlaps(t, c));
    });

  return {
    allocate: (name, taken) => {
      const before = resting.get(name);
      if (before !== undefined && fits(before, taken)) {
        resting.delete(name);
        return before;
      }
      const parts = o.clusters.map((cluster) => pick(cluster, taken));
      if (parts.includes(undefined)) return undefined;
      const cidrs = parts.filter((p) => p !== undefined);
      for (const [other, list] of resting) if (list.some((r) => cidrs.some((c) => overlaps(c, r)))) resting.delete(other);
      return cidrs;
    },
    release: (name, cidrs) => {
      resting.delete(name);
      resting.set(name, cidrs);
      for (const oldest of resting.keys()) {
        if (resting.size <= maxRemembered) break;
        resting.delete(oldest);
      }
    },
  };
}

/** What is wrong with the sizes, for whoever set the flags; undefined when nothing is. */
export function checkMaskSizes(clusters: readonly Cidr[], maskSize: (cluster: Cidr) => number): string | undefined {
  const flag = (c: Cidr): string => (c.bits === 32 ? '--node-cidr-mask-size' : '--node-cidr-mask-size-ipv6');
  for (const c of clusters) {
    const size = maskSize(c);
    if (size < c.prefix || size > c.bits - 2) return `${flag(c)} between ${c.prefix} and ${c.bits - 2} for ${formatCidr(c)}, not ${size}`;
    if (size - c.prefix > 16) return `${flag(c)} of at most ${c.prefix + 16} for ${formatCidr(c)}, not ${size}`;
  }
  return undefined;
}
