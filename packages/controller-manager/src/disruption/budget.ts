import type { Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from '@skiff/api';
import { scaledValue, type DeepReadonly } from '@skiff/apimachinery';
import { formatTime } from '@skiff/component-base';
import { isReady } from '../pods/pod-state.ts';
import { semanticEqual } from '../semantic-equality.ts';

export type BudgetView = DeepReadonly<PodDisruptionBudget>;
export type PodView = DeepReadonly<Pod>;
type Condition = NonNullable<PodDisruptionBudgetStatus['conditions']>[number];

/** An evicted pod counts as gone for this long; one that is still there then counts again. */
const deletionTimeoutMs = 2 * 60_000;

/** Whether the number of pods that there should be is taken from their controllers. */
export const needsScale = (budget: BudgetView): boolean =>
  budget.spec?.maxUnavailable !== undefined || typeof budget.spec?.minAvailable === 'string';

export interface BudgetInput {
  readonly budget: BudgetView;
  readonly pods: readonly PodView[];
  /** Sum of the sizes of the pods' controllers, where `needsScale`. */
  readonly scale: number;
  readonly nowMs: number;
}
export interface BudgetResult {
  readonly status: PodDisruptionBudgetStatus;
  /** Pods that were to be evicted and weren't. */
  readonly notDeleted: readonly PodView[];
  readonly recheckAfterMs: number | undefined;
}

function desired({ budget, pods, scale }: BudgetInput): { expected: number; healthy: number } {
  const { maxUnavailable, minAvailable } = budget.spec ?? {};
  if (maxUnavailable !== undefined) return { expected: scale, healthy: Math.max(0, scale - scaledValue(maxUnavailable, scale, true)) };
  if (typeof minAvailable === 'string') return { expected: scale, healthy: scaledValue(minAvailable, scale, true) };
  return { expected: pods.length, healthy: minAvailable ?? 0 };
}

function condition(
  type: string,
  o: { status: string; reason: string; message: string; generation: number; nowMs: number; old: readonly Condition[] },
): Condition[] {
  const current = o.old.find((c) => c.type === type);
  const since = current?.status === o.status && current.lastTransitionTime ? current.lastTransitionTime : formatTime(o.nowMs);
  const next: Condition = {
    type,
    status: o.status,
    reason: o.reason,
    message: o.message,
    observedGeneration: o.generation,
    lastTransitionTime: since,
  };
  return current === undefined ? [...o.old, next] : o.old.map((c) => (c.type === type ? next : c));
}
const conditionsOf = (budget: BudgetView): Condition[] => (budget.status?.conditions ?? []).map((c) => ({ ...c })) as Condition[];

export function computeBudget(input: BudgetInput): BudgetResult {
  const { budget, pods, nowMs } = input;
  const disrupted: Record<string, string> = {};
  const notDeleted: PodView[] = [];
  let recheckAtMs: number | undefined;
  for (const pod of pods) {
    const name = pod.metadata?.name ?? '';
    const since = budget.status?.disruptedPods?.[name];
    if (since === undefined || since === null || pod.metadata?.deletionTimestamp !== undefined) continue;
    const untilMs = Date.parse(since) + deletionTimeoutMs;
    if (untilMs < nowMs) notDeleted.push(pod);
    else {
      disrupted[name] = since;
      recheckAtMs = Math.min(recheckAtMs ?? untilMs, untilMs);
    }
  }
  const currentHealthy = pods.filter(
    (pod) => pod.metadata?.deletionTimestamp === undefined && disrupted[pod.metadata?.name ?? ''] === undefined && isReady(pod),
  ).length;
  const { expected, healthy } = desired(input);
  const disruptionsAllowed = expected <= 0 ? 0 : Math.max(0, currentHealthy - healthy);
  const generation = budget.metadata?.generation ?? 0;
  const allowed = disruptionsAllowed > 0;
  return {
    notDeleted,
    recheckAfterMs: recheckAtMs === undefined ? undefined : Math.max(recheckAtMs - nowMs, 0) + 1000,
    status: {
      observedGeneration: generation,
      ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
      disruptionsAllowed,
      currentHealthy,
      desiredHealthy: healthy,
      expectedPods: expected,
      conditions: condition('DisruptionAllowed', {
        status: allowed ? 'True' : 'False',
        reason: allowed ? 'SufficientPods' : 'InsufficientPods',
        message: '',
        generation,
        nowMs,
        old: conditionsOf(budget),
      }),
    },
  };
}

/** When it can't be told how many pods there should be, none may be evicted. */
export const failSafeStatus = (budget: BudgetView, message: string, nowMs: number): PodDisruptionBudgetStatus => ({
  ...(structuredClone(budget.status ?? { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }) as PodDisruptionBudgetStatus),
  disruptionsAllowed: 0,
  conditions: condition('DisruptionAllowed', {
    status: 'False',
    reason: 'SyncFailed',
    message,
    generation: budget.status?.observedGeneration ?? 0,
    nowMs,
    old: conditionsOf(budget),
  }),
});

export const sameBudgetStatus = (a: BudgetView['status'], b: PodDisruptionBudgetStatus): boolean => {
  const counts = ['observedGeneration', 'disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const;
  return (
    counts.every((name) => (a?.[name] ?? 0) === (b[name] ?? 0)) &&
    semanticEqual(a?.disruptedPods ?? {}, b.disruptedPods ?? {}) &&
    semanticEqual(a?.conditions, b.conditions)
  );
};
