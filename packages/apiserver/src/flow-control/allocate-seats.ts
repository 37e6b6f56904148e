/** What one level wants, and between what it may get. `lower` ≤ `target`, `lower` ≤ `upper`. */
export interface SeatClaim {
  readonly lower: number;
  readonly upper: number;
  readonly target: number;
}

const smallestTarget = 0.001;

/**
 * Divides `seats` so that every level gets the same fraction of its target, as far as its bounds let it (KEP-1040, "Dispatching"). What
 * all get together grows with that fraction, in straight lines between the points where a bound begins or ends to count: the two points
 * around the answer are found, and the answer between them. undefined: the bounds leave no room for it.
 */
export function allocateSeats(seats: number, claims: readonly SeatClaim[]): { shares: number[]; fraction: number } | undefined {
  const bounded = claims.map((c) => ({ ...c, target: Math.max(c.target, smallestTarget) }));
  const at = (fraction: number): number[] => bounded.map((c) => Math.max(c.lower, Math.min(c.upper, fraction * c.target)));
  const total = (fraction: number): number => at(fraction).reduce((sum, share) => sum + share, 0);
  const tolerance = 1e-7;
  const points = [...new Set(bounded.flatMap((c) => [c.lower / c.target, c.upper / c.target]))].sort((a, b) => a - b);
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return undefined;
  if (total(first) > seats + tolerance || total(last) < seats - tolerance) return undefined;
  let low = first;
  for (const high of points) {
    const reached = total(high);
    if (reached < seats) {
      low = high;
      continue;
    }
    const from = total(low);
    const fraction = reached === from ? high : low + ((seats - from) / (reached - from)) * (high - low);
    return { shares: at(fraction), fraction };
  }
  return { shares: at(last), fraction: last };
}
