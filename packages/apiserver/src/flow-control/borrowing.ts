import { allocateSeats } from './allocate-seats.ts';
import type { PriorityLevel } from './priority-level.ts';

/** How often seats move between levels. */
export const adjustmentMs = 10_000;
/** Demand that is over counts for half after five minutes. */
const smoothing = 0.977;

function noteDemand(level: PriorityLevel, nowMs: number): void {
  const seen = level.queueSet.demand.reset(nowMs);
  level.demand.highWatermark = Math.round(seen.max);
  if (seen.durationMs <= 0) return;
  const envelope = seen.average + seen.deviation;
  level.demand.average = seen.average;
  level.demand.deviation = seen.deviation;
  level.demand.smoothed = Math.max(envelope, smoothing * level.demand.smoothed + (1 - smoothing) * envelope);
}

/**
 * Sets what each level has until the next time, by what was asked for since the last one (KEP-1040, "Dispatching: borrowing"): nobody
 * falls below its minimum, nor below what it used of its own; the rest goes in proportion to smoothed demand. Returns the fraction of
 * its demand that each gets.
 */
export function adjustSeats(levels: Iterable<PriorityLevel>, nowMs: number): number {
  const all = [...levels];
  let left = all.reduce((sum, l) => sum + l.nominal, 0);
  const total = left;
  const limited: PriorityLevel[] = [];
  const floor = new Map<PriorityLevel, number>();
  for (const level of all) {
    noteDemand(level, nowMs);
    const { highWatermark } = level.demand;
    if (level.exempt) {
      level.current = Math.max(level.min, highWatermark);
      level.demand.target = level.current;
      left -= level.current;
      continue;
    }
    const lower = Math.max(level.min, Math.min(level.nominal, highWatermark));
    floor.set(level, lower);
    level.demand.target = Math.max(lower, level.demand.smoothed);
    limited.push(level);
  }
  const lowerOf = (l: PriorityLevel): number => floor.get(l) ?? l.min;
  const minSum = limited.reduce((sum, l) => sum + l.min, 0);
  const lowerSum = limited.reduce((sum, l) => sum + lowerOf(l), 0);
  let fraction = 0;
  if (left <= minSum) for (const l of limited) l.current = l.min;
  else if (left <= lowerSum) {
    const part = (left - minSum) / (lowerSum - minSum);
    for (const l of limited) l.current = l.min + Math.round((lowerOf(l) - l.min) * part);
  } else {
    const found = allocateSeats(
      total,
      limited.map((l) => ({ lower: lowerOf(l), upper: l.max, target: l.demand.target })),
    );
    fraction = found?.fraction ?? 0;
    if (found !== undefined) for (const [i, l] of limited.entries()) l.current = Math.round(found.shares[i] ?? l.current);
  }
  return fraction;
}
