import type { HorizontalPodAutoscaler } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

/** What was recommended and done lately for one autoscaler; it is in memory only, as upstream's. */
export interface ScalingHistory {
  recommendations: readonly { readonly replicas: number; readonly atMs: number }[];
  added: readonly ScalingEvent[];
  removed: readonly ScalingEvent[];
}
export interface ScalingEvent {
  readonly replicas: number;
  readonly atMs: number;
}

export const newHistory = (currentReplicas: number, nowMs: number): ScalingHistory => ({
  recommendations: [{ replicas: currentReplicas, atMs: nowMs }],
  added: [],
  removed: [],
});

export interface Bounds {
  readonly current: number;
  readonly min: number;
  readonly max: number;
}

interface Reason {
  readonly reason: string;
  readonly message: string;
}
export interface Normalized {
  readonly replicas: number;
  /** For the condition AbleToScale. */
  readonly stabilized: Reason;
  /** For the condition ScalingLimited. */
  readonly limited: Reason & { readonly isLimited: boolean };
}

/** The API fills these in. */
export type Rules = NonNullable<NonNullable<DeepReadonly<HorizontalPodAutoscaler>['spec']['behavior']>['scaleUp']>;
export interface Behavior {
  readonly scaleUp: Rules;
  readonly scaleDown: Rules;
}

const ready: Reason = { reason: 'ReadyForNewScale', message: 'recommended size matches current size' };
const upStabilized: Reason = {
  reason: 'ScaleUpStabilized',
  message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
};
const downStabilized: Reason = {
  reason: 'ScaleDownStabilized',
  message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
};
const withinRange: Reason = { reason: 'DesiredWithinRange', message: 'the desired count is within the acceptable range' };
const tooMany: Reason = { reason: 'TooManyReplicas', message: 'the desired replica count is more than the maximum replica count' };
const tooFew: Reason = { reason: 'TooFewReplicas', message: 'the desired replica count is less than the minimum replica count' };
const upTooFast: Reason = {
  reason: 'ScaleUpLimit',
  message: 'the desired replica count is increasing faster than the maximum scale rate',
};
const downTooFast: Reason = {
  reason: 'ScaleDownLimit',
  message: 'the desired replica count is decreasing faster than the maximum scale rate',
};

const finish = (wanted: number, stable: number, stabilized: Reason, [replicas, why]: readonly [number, Reason]): Normalized => ({
  replicas,
  stabilized: stable === wanted ? ready : stabilized,
  limited: { ...why, isLimited: replicas !== stable },
});

/** Without rules: never fewer than any recommendation of the window, and never more than twice as many (or 4) at once. */
export function normalizePlainly(
  history: ScalingHistory,
  wanted: number,
  b: Bounds,
  o: { readonly windowMs: number; readonly nowMs: number },
): Normalized {
  const recent = history.recommendations.filter((r) => r.atMs >= o.nowMs - o.windowMs);
  const stable = Math.max(wanted, ...recent.map((r) => r.replicas));
  history.recommendations = [...recent, { replicas: wanted, atMs: o.nowMs }];
  const fastest = Math.max(2 * b.current, 4);
  const [most, why] = b.max > fastest ? [fastest, upTooFast] : [b.max, tooMany];
  const limited = stable < b.min ? ([b.min, tooFew] as const) : stable > most ? ([most, why] as const) : ([stable, withinRange] as const);
  return finish(wanted, stable, downStabilized, limited);
}

/** With rules: first the windows of both directions, then the policies' rates. */
export function normalizeByRules(
  history: ScalingHistory,
  wanted: number,
  b: Bounds,
  o: { readonly behavior: Behavior; readonly windowMs: number; readonly nowMs: number },
): Normalized {
  const { scaleUp, scaleDown } = o.behavior;
  const since = (rules: Rules, otherwiseMs: number): number => {
    const seconds = rules.stabilizationWindowSeconds;
    return o.nowMs - (seconds === undefined ? otherwiseMs : seconds * 1000);
  };
  const [upSince, downSince] = [since(scaleUp, 0), since(scaleDown, o.windowMs)];
  const after = (ms: number): number[] => history.recommendations.filter((r) => r.atMs > ms).map((r) => r.replicas);
  const least = Math.min(wanted, ...after(upSince));
  const most = Math.max(wanted, ...after(downSince));
  const stable = Math.min(Math.max(b.current, least), most);
  const keptSince = Math.min(upSince, downSince);
  history.recommendations = [...history.recommendations.filter((r) => r.atMs >= keptSince), { replicas: wanted, atMs: o.nowMs }];
  return finish(wanted, stable, wanted >= b.current ? upStabilized : downStabilized, limitRate(history, stable, b, o));
}

function limitRate(
  history: ScalingHistory,
  stable: number,
  b: Bounds,
  o: { readonly behavior: Behavior; readonly nowMs: number },
): readonly [number, Reason] {
  if (stable > b.current) {
    const fastest = Math.max(b.current, rateLimit('up', history, b.current, o.behavior.scaleUp, o.nowMs));
    const [most, why] = b.max > fastest ? [fastest, upTooFast] : [b.max, tooMany];
    if (stable > most) return [most, why];
  } else if (stable < b.current) {
    const fastest = Math.min(b.current, rateLimit('down', history, b.current, o.behavior.scaleDown, o.nowMs));
    const [least, why] = b.min < fastest ? [fastest, downTooFast] : [b.min, tooFew];
    if (stable < least) return [least, why];
  }
  return [stable, withinRange];
}

/** How far the policies let it go. Each counts from what there was when its period began. */
function rateLimit(direction: 'up' | 'down', history: ScalingHistory, current: number, rules: Rules, nowMs: number): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const within = (events: readonly ScalingEvent[], seconds: number): number =>
    events.reduce((total, e) => (e.atMs > nowMs - seconds * 1000 ? total + e.replicas : total), 0);
  const proposals = (rules.policies ?? []).map((policy) => {
    const start = current - within(history.added, policy.periodSeconds) + within(history.removed, policy.periodSeconds);
    if (policy.type === 'Pods') return direction === 'up' ? start + policy.value : start - policy.value;
    // Rounded so that a small number of pods can be added to, too.
    return direction === 'up' ? Math.ceil(start * (1 + policy.value / 100)) : Math.trunc(start * (1 - policy.value / 100));
  });
  if (proposals.length === 0) return current;
  const isLargest = (direction === 'up') === (rules.selectPolicy !== 'Min');
  return isLargest ? Math.max(...proposals) : Math.min(...proposals);
}

/** Notes what was done, as far as the rules ask for it. */
export function noteScaling(history: ScalingHistory, behavior: Behavior, before: number, after: number, nowMs: number): void {
  const longest = (rules: Rules): number => Math.max(0, ...(rules.policies ?? []).map((p) => p.periodSeconds)) * 1000;
  const keepMs = Math.max(longest(behavior.scaleUp), longest(behavior.scaleDown));
  const kept = (events: readonly ScalingEvent[]): ScalingEvent[] => events.filter((e) => e.atMs >= nowMs - keepMs);
  const event = { replicas: Math.abs(after - before), atMs: nowMs };
  history.added = after > before ? [...kept(history.added), event] : kept(history.added);
  history.removed = after < before ? [...kept(history.removed), event] : kept(history.removed);
}
