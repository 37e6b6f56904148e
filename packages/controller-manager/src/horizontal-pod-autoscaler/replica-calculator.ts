import type { Pod } from '@skiff/api';
import { quantityMilliValue, type DeepReadonly } from '@skiff/apimachinery';

/** What one pod uses. Values are thousandths: of cores, of bytes, of whatever is measured. */
export interface PodMetric {
  readonly value: number;
  readonly atMs: number;
  readonly windowMs: number;
}
export type PodMetrics = ReadonlyMap<string, PodMetric>;

/** How far from the target nothing is done, as shares of it. */
export interface Tolerances {
  readonly scaleUp: number;
  readonly scaleDown: number;
}

/** When what new pods use says something. */
export interface ReadinessTiming {
  readonly cpuInitializationPeriodMs: number;
  readonly initialReadinessDelayMs: number;
}

export interface Proposal {
  readonly replicas: number;
  /** Thousandths; on average for each pod where the target is an average. */
  readonly usage: number;
  /** Percent of requests. */
  readonly utilization?: number;
}

export interface PodUsage {
  readonly pods: readonly DeepReadonly<Pod>[];
  readonly metrics: PodMetrics;
  readonly currentReplicas: number;
  readonly tolerances: Tolerances;
  readonly timing: ReadinessTiming;
  readonly nowMs: number;
}

interface PodGroups {
  readonly ready: number;
  readonly unready: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
  readonly ignored: ReadonlySet<string>;
}

const maxReplicas = 2 ** 31 - 1;
const isWithin = (t: Tolerances, ratio: number): boolean => 1 - t.scaleDown <= ratio && ratio <= 1 + t.scaleUp;
const timeOf = (text: string | null | undefined): number => Date.parse(text ?? '');

/** CPU of a pod that starts says nothing of its load. */
function isWarmingUp(pod: DeepReadonly<Pod>, metric: PodMetric, timing: ReadinessTiming, nowMs: number): boolean {
  const ready = pod.status?.conditions?.find((c) => c.type === 'Ready');
  const startedMs = timeOf(pod.status?.startTime);
  if (ready === undefined || Number.isNaN(startedMs)) return true;
  const changedMs = timeOf(ready.lastTransitionTime);
  if (startedMs + timing.cpuInitializationPeriodMs > nowMs) return ready.status === 'False' || metric.atMs < changedMs + metric.windowMs;
  // It has never been ready.
  return ready.status === 'False' && startedMs + timing.initialReadinessDelayMs > changedMs;
}

function groupPods({ pods, metrics, timing, nowMs }: PodUsage, isCpu: boolean): PodGroups {
  const groups = { unready: new Set<string>(), missing: new Set<string>(), ignored: new Set<string>() };
  let ready = 0;
  for (const pod of pods) {
    const name = pod.metadata?.name ?? '';
    const metric = metrics.get(name);
    if (pod.metadata?.deletionTimestamp !== undefined || pod.status?.phase === 'Failed') groups.ignored.add(name);
    else if (pod.status?.phase === 'Pending') groups.unready.add(name);
    else if (metric === undefined) groups.missing.add(name);
    else if (isCpu && isWarmingUp(pod, metric, timing, nowMs)) groups.unready.add(name);
    else ready++;
  }
  return { ...groups, ready };
}

interface Measured {
  readonly ratio: number;
  readonly usage: number;
  readonly utilization?: number;
}

/**
 * How many pods there should be so that `measure` comes to 1. Pods of which nothing is known yet count so that they don't make the
 * change larger: `assumed` when there would be fewer pods, nothing when there would be more.
 */
function propose(
  u: PodUsage,
  o: { isCpu: boolean; measure: (values: ReadonlyMap<string, number>) => Measured; assumed: (pod: string) => number },
): Proposal {
  if (u.pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
  const { ready, unready, missing, ignored } = groupPods(u, o.isCpu);
  const values = new Map<string, number>();
  for (const [name, metric] of u.metrics) if (!ignored.has(name) && !unready.has(name)) values.set(name, metric.value);
  if (values.size === 0) throw new Error('did not receive metrics for targeted pods (pods might be unready)');
  const { ratio, ...measured } = o.measure(values);
  const unchanged = { replicas: u.currentReplicas, ...measured };
  const isUpWithUnready = unready.size > 0 && ratio > 1;
  if (!isUpWithUnready && missing.size === 0)
    return isWithin(u.tolerances, ratio) ? unchanged : { replicas: Math.ceil(ratio * ready), ...measured };
  if (ratio !== 1) for (const name of missing) values.set(name, ratio < 1 ? o.assumed(name) : 0);
  if (isUpWithUnready) for (const name of unready) values.set(name, 0);
  const { ratio: again } = o.measure(values);
  const replicas = Math.ceil(again * values.size);
  const isTurned = (ratio < 1 && again > 1) || (ratio > 1 && again < 1);
  const isOpposite = (again < 1 && replicas > u.currentReplicas) || (again > 1 && replicas < u.currentReplicas);
  return isWithin(u.tolerances, again) || isTurned || isOpposite ? unchanged : { replicas, ...measured };
}

const sum = (values: Iterable<number>): number => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};

/** By an average for each pod (thousandths). `resource`: '' for metrics that are none. Throws when nothing is known. */
export function proposeByAverage(u: PodUsage, resource: string, target: number): Proposal {
  return propose(u, {
    isCpu: resource === 'cpu',
    measure: (values) => {
      const usage = Math.trunc(sum(values.values()) / values.size);
      return { usage, ratio: usage / target };
    },
    assumed: () => target,
  });
}

/** By the percentage of what the pods, or their containers of one name, request. Throws when nothing is known. */
export function proposeByUtilization(u: PodUsage, resource: string, o: { targetPercent: number; container: string }): Proposal {
  let known: ReadonlyMap<string, number> | undefined;
  const requests = (): ReadonlyMap<string, number> =>
    (known ??= new Map(u.pods.map((pod) => [pod.metadata?.name ?? '', requestOf(pod, resource, o.container)])));
  return propose(u, {
    isCpu: resource === 'cpu',
    measure: (values) => {
      const matched = [...values].filter(([name]) => requests().has(name));
      const requested = sum(matched.map(([name]) => requests().get(name) ?? 0));
      if (requested === 0) throw new Error('no metrics returned matched known pods');
      const used = sum(matched.map(([, value]) => value));
      const utilization = Math.trunc((used * 100) / requested);
      return { utilization, usage: Math.trunc(used / matched.length), ratio: utilization / o.targetPercent };
    },
    assumed: (name) => Math.trunc(((requests().get(name) ?? 0) * Math.max(100, o.targetPercent)) / 100),
  });
}

/** Thousandths. Throws when somebody who counts requests nothing. */
function requestOf(pod: DeepReadonly<Pod>, resource: string, container: string): number {
  const name = pod.metadata?.name ?? '';
  const ofPod = pod.spec?.resources?.requests ?? {};
  if (container === '' && Object.keys(ofPod).length > 0 && ofPod[resource] !== undefined) return quantityMilliValue(ofPod[resource]);
  const counted = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always')];
  const chosen = container === '' ? counted : counted.filter((c) => c.name === container);
  if (container !== '' && chosen.length === 0) throw new Error(`container ${container} not found in Pod ${name}`);
  return sum(
    chosen.map((c) => {
      const request = c.resources?.requests?.[resource];
      if (request === undefined) throw new Error(`missing request for ${resource} in container ${c.name} of Pod ${name}`);
      return quantityMilliValue(request);
    }),
  );
}

/** By one value for all (of an object, or from outside): so many times the ready pods as it exceeds the target. */
export function proposeByTotal(u: Omit<PodUsage, 'metrics' | 'timing' | 'nowMs'>, usage: number, target: number): Proposal {
  const ratio = usage / target;
  if (u.currentReplicas === 0) return { replicas: Math.ceil(ratio), usage };
  if (isWithin(u.tolerances, ratio)) return { replicas: u.currentReplicas, usage };
  if (u.pods.length === 0) throw new Error('unable to calculate ready pods: no pods returned by selector while calculating replica count');
  const ready = u.pods.filter(
    (p) => p.status?.phase === 'Running' && p.status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true,
  ).length;
  return { replicas: Math.min(maxReplicas, Math.ceil(ratio * ready)), usage };
}

/** By one value that the pods share: so many that each has its target. `usage` of the result is what each has now. */
export function proposeByShare(replicas: number, tolerances: Tolerances, usage: number, target: number): Proposal {
  const each = replicas === 0 ? usage : Math.ceil(usage / replicas);
  if (replicas > 0 && isWithin(tolerances, usage / (target * replicas))) return { replicas, usage: each };
  return { replicas: Math.min(maxReplicas, Math.ceil(usage / target)), usage: each };
}
