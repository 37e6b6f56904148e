import { amountOf, conditionOf, isMemorySignal, type PressureCondition, type Signal, type Threshold } from './signals.ts';

export interface Observation {
  readonly available: number;
  readonly capacity: number;
}
export type Observations = ReadonlyMap<Signal, Observation>;

/** Those whose signal lies below them; with `enforceMinReclaim` also those that were not left far enough behind. */
export const thresholdsMet = (thresholds: readonly Threshold[], seen: Observations, enforceMinReclaim: boolean): readonly Threshold[] =>
  thresholds.filter((t) => {
    const o = seen.get(t.signal);
    if (o === undefined) return false;
    const extra = enforceMinReclaim && t.minReclaim !== undefined ? amountOf(t.minReclaim, o.capacity) : 0;
    return o.available < amountOf(t.value, o.capacity) + extra;
  });

/** What is remembered between two looks. */
export interface PressureState {
  /** Since when each threshold is met. */
  readonly since: ReadonlyMap<Threshold, number>;
  readonly conditionSeenAt: ReadonlyMap<PressureCondition, number>;
  /** Met for longer than their grace at the last look. */
  readonly acting: readonly Threshold[];
  /** Conditions to report: seen now, or within the transition period. */
  readonly conditions: ReadonlySet<PressureCondition>;
}

export const calm: PressureState = { since: new Map(), conditionSeenAt: new Map(), acting: [], conditions: new Set() };

/** One look at the signals. Pure; `nowMs` is monotonic. */
export function advancePressure(
  state: PressureState,
  o: { readonly thresholds: readonly Threshold[]; readonly seen: Observations; readonly nowMs: number; readonly transitionMs: number },
): PressureState {
  const met = new Set([...thresholdsMet(o.thresholds, o.seen, false), ...thresholdsMet(state.acting, o.seen, true)]);
  const since = new Map([...met].map((t) => [t, state.since.get(t) ?? o.nowMs]));
  const conditionSeenAt = new Map(state.conditionSeenAt);
  for (const t of met) conditionSeenAt.set(conditionOf(t.signal), o.nowMs);
  return {
    since,
    conditionSeenAt,
    acting: [...since].filter(([t, sinceMs]) => o.nowMs - sinceMs >= t.graceMs).map(([t]) => t),
    conditions: new Set([...conditionSeenAt].filter(([, atMs]) => o.nowMs - atMs < o.transitionMs || atMs === o.nowMs).map(([c]) => c)),
  };
}

/** The one to act on first: memory before all else, since it is gone soonest. */
export const mostUrgent = (acting: readonly Threshold[]): Threshold | undefined =>
  acting.find((t) => isMemorySignal(t.signal)) ?? acting[0];
