import { computePodQOSClass } from '@skiff/api';
import type { Refusal } from './admission.ts';
import { isCriticalPod, type PodSnapshot } from './pod-snapshot.ts';
import { defaultGraceSeconds } from './worker-state.ts';
import { missingAmount, podRequest, type Shortage } from './resource-fit.ts';

interface Requirement {
  readonly resource: string;
  readonly amount: number;
}

/** In the unit of a Shortage. */
const requestOf = (pod: PodSnapshot, resource: string): number =>
  resource === 'pods' ? 1 : resource === 'cpu' ? podRequest(pod, resource) : Math.ceil(podRequest(pod, resource) / 1000);

const without = (needed: readonly Requirement[], pods: readonly PodSnapshot[]): readonly Requirement[] =>
  needed
    .map(({ resource, amount }) => ({ resource, amount: amount - pods.reduce((sum, p) => sum + requestOf(p, resource), 0) }))
    .filter((r) => r.amount > 0);

/** How far a pod's end leaves the need unmet: 0 when it meets it. */
const distance = (needed: readonly Requirement[], pod: PodSnapshot): number =>
  needed.reduce((sum, { resource, amount }) => sum + (Math.max(0, amount - requestOf(pod, resource)) / amount) ** 2, 0);

function isSmaller(a: PodSnapshot, b: PodSnapshot): boolean {
  for (const resource of ['memory', 'cpu']) {
    const difference = requestOf(a, resource) - requestOf(b, resource);
    if (difference !== 0) return difference < 0;
  }
  return true;
}

/** As few as possible, and of those that do as well the smaller ones. */
function closest(candidates: readonly PodSnapshot[], needed: readonly Requirement[]): readonly PodSnapshot[] {
  const left = [...candidates];
  const chosen: PodSnapshot[] = [];
  let remaining = needed;
  while (remaining.length > 0 && left.length > 0) {
    let best = 0;
    for (const [i, pod] of left.entries()) {
      const [own, other] = [distance(remaining, pod), distance(remaining, left[best] ?? pod)];
      if (own < other || (own === other && isSmaller(pod, left[best] ?? pod))) best = i;
    }
    const [pod] = left.splice(best, 1);
    if (pod === undefined) break;
    chosen.push(pod);
    remaining = without(remaining, [pod]);
  }
  return chosen;
}

const priorityOf = (pod: PodSnapshot): number | undefined => pod.spec.priority;
const mayPreempt = (critical: PodSnapshot, pod: PodSnapshot): boolean =>
  (isCriticalPod(critical) && !isCriticalPod(pod)) ||
  (priorityOf(critical) ?? Number.NEGATIVE_INFINITY) > (priorityOf(pod) ?? Number.POSITIVE_INFINITY);

/**
 * Pods to end so that a critical one has room: guaranteed ones only where the others together are not enough, burstable ones only where
 * those of best effort are not. Throws with upstream's text when all of them would not do.
 */
export function choosePreempted(
  critical: PodSnapshot,
  pods: readonly PodSnapshot[],
  shortages: readonly Shortage[],
): readonly PodSnapshot[] {
  const needed = shortages.map((s) => ({ resource: s.resource, amount: missingAmount(s) }));
  const candidates = pods.filter((p) => mayPreempt(critical, p));
  const unmet = without(needed, candidates);
  if (unmet.length > 0) {
    const list = unmet.map(({ resource, amount }) => `(res: ${resource}, q: ${amount}), `).join('');
    throw new Error(`preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [${list}]`);
  }
  const of = (qos: string): readonly PodSnapshot[] => candidates.filter((p) => (p.status.qosClass ?? computePodQOSClass(p.spec)) === qos);
  const [bestEffort, burstable] = [of('BestEffort'), of('Burstable')];
  const guaranteed = closest(of('Guaranteed'), without(needed, [...bestEffort, ...burstable]));
  const fromBurstable = closest(burstable, without(needed, [...bestEffort, ...guaranteed]));
  const fromBestEffort = closest(bestEffort, without(needed, [...guaranteed, ...fromBurstable]));
  return [...fromBestEffort, ...fromBurstable, ...guaranteed];
}

/** What making room needs of a pod that may have to end. */
export interface Preemptable {
  readonly pod: PodSnapshot;
  /** The pod with the resources that the node granted it: what its end frees. */
  readonly allocated: PodSnapshot;
  readonly state: { readonly phase: string };
  readonly ended: Promise<void>;
  evict(
    reason: string,
    message: string,
    graceSeconds: number,
    condition: { readonly type: string; readonly reason: string; readonly message: string },
  ): void;
}

const reason = 'Preempting';
const message = 'Preempted in order to admit critical pod';
const condition = {
  type: 'DisruptionTarget',
  reason: 'TerminationByKubelet',
  message: 'Pod was preempted by Kubelet to accommodate a critical pod.',
};

/** Ends pods in favour of a critical one. Resolves when they are gone, with why there can't be room. */
export function createRoomMaker(deps: {
  /** Those that take room on the node. */
  readonly workers: () => readonly Preemptable[];
  /** What is still to be looked at when there is room. */
  readonly admit: (pod: PodSnapshot) => Refusal | undefined;
  readonly event: (pod: PodSnapshot, type: 'Warning', reason: string, message: string) => void;
  readonly metrics: { preempted(signal: string): void };
}): (pod: PodSnapshot, shortages: readonly Shortage[]) => Promise<Refusal | undefined> {
  return async (pod, shortages) => {
    const others = new Map(
      deps
        .workers()
        .filter((w) => w.pod.metadata.uid !== pod.metadata.uid)
        .map((w) => [w.allocated, w]),
    );
    let chosen: readonly PodSnapshot[];
    try {
      chosen = choosePreempted(pod, [...others.keys()], shortages);
    } catch (error) {
      const text = `Unexpected error while attempting to recover from admission failure: ${(error as Error).message}`;
      return { reason: 'UnexpectedAdmissionError', message: text };
    }
    const victims = chosen.flatMap((p) => others.get(p) ?? []);
    // What ends anyway is only waited for.
    for (const victim of victims.filter((v) => v.state.phase === 'syncing')) {
      deps.event(victim.pod, 'Warning', reason, message);
      victim.evict(reason, message, victim.pod.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds, condition);
      deps.metrics.preempted(shortages[0]?.resource ?? '');
    }
    await Promise.all(victims.map((v) => v.ended));
    return deps.admit(pod);
  };
}
