import type { PodDisruptionBudget } from '@skiff/api';
import { parseTime, type DeepReadonly } from '@skiff/apimachinery';
import { runFilters } from './cycle.ts';
import type { CycleContext } from './cycle-context.ts';
import { compileLabelSelector } from './label-selector.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';
import type { Profile } from './profile.ts';
import { type Rejection, unresolvable } from './verdict.ts';

/** A node where a pod would fit if these were gone. */
export interface Candidate {
  readonly nodeName: string;
  /** The most important first. */
  readonly victims: readonly PodInfo[];
  readonly budgetViolations: number;
}

const startMs = ({ pod }: PodInfo): number => (pod.status?.startTime === undefined ? Infinity : parseTime(pod.status.startTime));

/** Higher priority first; among equals, who has run longer. */
const byImportance = (a: PodInfo, b: PodInfo): number => b.priority - a.priority || Math.sign(startMs(a) - startMs(b)) || 0;

/**
 * The fewest and least important pods whose removal makes room on a node: first all of lower priority go, then as many as possible come
 * back, those first whose loss would violate a disruption budget.
 */
export function selectVictims(
  pod: PodInfo,
  node: NodeInfo,
  o: { readonly profile: Profile; readonly context: CycleContext; readonly budgets: readonly DeepReadonly<PodDisruptionBudget>[] },
): Candidate | Rejection {
  const { profile } = o;
  const context = o.context.clone();
  const trial = node.clone();
  const filters = profile.filter.filter((p) => !context.skippedFilters.has(p.name));
  const remove = (other: PodInfo): void => {
    trial.removePod(other.uid);
    for (const plugin of profile.removePod) if (!context.skippedFilters.has(plugin.name)) plugin.removePod(pod, other, trial, context);
  };
  const add = (other: PodInfo): void => {
    trial.addPod(other);
    for (const plugin of profile.addPod) if (!context.skippedFilters.has(plugin.name)) plugin.addPod(pod, other, trial, context);
  };
  const lower = [...node.pods.values()].filter((other) => other.priority < pod.priority).sort(byImportance);
  if (lower.length === 0) return unresolvable('No preemption victims found for incoming pod');
  for (const other of lower) remove(other);
  const rejection = runFilters(pod, trial, profile, filters, context);
  if (rejection !== undefined) return rejection;
  const { violating, others } = splitByBudgets(lower, o.budgets);
  const victims: PodInfo[] = [];
  let budgetViolations = 0;
  for (const other of [...violating, ...others]) {
    add(other);
    if (runFilters(pod, trial, profile, filters, context) === undefined) continue;
    remove(other);
    victims.push(other);
    if (violating.includes(other)) budgetViolations++;
  }
  return { nodeName: node.name, victims: victims.sort(byImportance), budgetViolations };
}

/** Which of these pods, evicted in this order, would go beyond a budget. */
function splitByBudgets(
  pods: readonly PodInfo[],
  budgets: readonly DeepReadonly<PodDisruptionBudget>[],
): { violating: PodInfo[]; others: PodInfo[] } {
  const left = budgets.map((budget) => ({
    allowed: budget.status?.disruptionsAllowed ?? 0,
    covers: (pod: PodInfo): boolean =>
      budget.metadata?.namespace === pod.namespace &&
      Object.keys(pod.labels).length > 0 &&
      !isEmptySelector(budget) &&
      compileLabelSelector(budget.spec?.selector)(pod.labels) &&
      // Already being disrupted: counted by the disruption controller.
      budget.status?.disruptedPods?.[pod.name] === undefined,
  }));
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const pod of pods) {
    let isViolation = false;
    for (const budget of left) {
      if (!budget.covers(pod)) continue;
      budget.allowed--;
      isViolation ||= budget.allowed < 0;
    }
    (isViolation ? violating : others).push(pod);
  }
  return { violating, others };
}

const isEmptySelector = ({ spec }: DeepReadonly<PodDisruptionBudget>): boolean =>
  Object.keys(spec?.selector?.matchLabels ?? {}).length + (spec?.selector?.matchExpressions?.length ?? 0) === 0;

/** The least harm: fewest budget violations, lowest top priority, lowest sum of priorities, fewest pods, and the latest started. */
export function pickCandidate(candidates: readonly Candidate[]): Candidate | undefined {
  const top = (c: Candidate): number => c.victims[0]?.priority ?? -Infinity;
  // Shifted to be positive, so that many pods of negative priority don't count as less than few.
  const sum = (c: Candidate): number => c.victims.reduce((total, victim) => total + victim.priority + 2 ** 31, 0);
  const earliestOfTop = (c: Candidate): number => Math.min(...c.victims.filter((victim) => victim.priority === top(c)).map(startMs));
  const orders: readonly ((a: Candidate, b: Candidate) => number)[] = [
    (a, b) => a.budgetViolations - b.budgetViolations,
    (a, b) => top(a) - top(b),
    (a, b) => sum(a) - sum(b),
    (a, b) => a.victims.length - b.victims.length,
    (a, b) => Math.sign(earliestOfTop(b) - earliestOfTop(a)) || 0,
  ];
  let best = candidates[0];
  for (const candidate of candidates.slice(1)) {
    for (const order of orders) {
      const difference = order(candidate, best as Candidate);
      if (difference < 0) best = candidate;
      if (difference !== 0) break;
    }
  }
  return best;
}
