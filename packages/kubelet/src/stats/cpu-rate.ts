/** Turns counters into rates between two readings of the same subject. */
export interface CpuRates {
  /** CPU nanoseconds a second. `sinceMs`: when the counter began, for a subject that was never read before. */
  rate(subject: string, o: { readonly atMs: number; readonly nanos: number; readonly sinceMs: number }): number;
  /** Forgets all that were not asked for since the last call. */
  sweep(): void;
}

/** Readings closer together than this are too coarse for a rate. */
const leastMs = 500;

export function createCpuRates(): CpuRates {
  interface Entry {
    atMs: number;
    nanos: number;
    rate: number;
    seen: boolean;
  }
  const known = new Map<string, Entry>();
  return {
    rate: (subject, { atMs, nanos, sinceMs }) => {
      const before = known.get(subject);
      if (before !== undefined && atMs - before.atMs < leastMs) {
        before.seen = true;
        return before.rate;
      }
      const [fromMs, fromNanos] = before === undefined ? [sinceMs, 0] : [before.atMs, before.nanos];
      const rate = Math.max(0, Math.round(((nanos - fromNanos) * 1000) / Math.max(leastMs, atMs - fromMs)));
      known.set(subject, { atMs, nanos, rate, seen: true });
      return rate;
    },
    sweep: () => {
      for (const [subject, entry] of known) {
        if (entry.seen) entry.seen = false;
        else known.delete(subject);
      }
    },
  };
}
