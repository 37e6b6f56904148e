import type { PodDisruptionBudget } from '@skiff/api';
import { formatTime, hasReason, type DeepReadonly } from '@skiff/apimachinery';
import type { Client, EventRecorder } from '@skiff/client';
import type { Clock } from '@skiff/component-base';
import { formatDiagnosis, newDiagnosis, type Diagnosis } from '../framework/diagnosis.ts';
import type { CycleContext } from '../framework/cycle-context.ts';
import type { PostFilterResult, SchedulerPlugin } from '../framework/plugin.ts';
import { podKey, type PodInfo } from '../framework/pod-info.ts';
import { pickCandidate, selectVictims, type Candidate } from '../framework/preemption.ts';
import type { Profile } from '../framework/profile.ts';
import { unresolvable } from '../framework/verdict.ts';
import { podResource } from '../resource-refs.ts';

export interface DefaultPreemptionDependencies {
  readonly client: Client;
  readonly clock: Clock;
  readonly events: EventRecorder;
  readonly random: () => number;
  readonly budgets: () => readonly DeepReadonly<PodDisruptionBudget>[];
  /** The profile that the plugin is part of. */
  readonly profile: () => Profile;
  /** Takes back the promise of a node to a pod that is less important than the one who gets it. */
  readonly clearNomination: (pod: PodInfo) => Promise<void>;
  readonly preempted: (victims: number) => void;
}

const preemptionReason = 'PreemptionByScheduler';
/** So many nodes, or this share of them if that is more, are tried. */
const minCandidates = 100;
const minCandidatesPercentage = 10;

/** When a pod fits nowhere: on which node would it fit if pods of lower priority went, and where is that the least harm? */
export const createDefaultPreemption = (deps: DefaultPreemptionDependencies): SchedulerPlugin => ({
  name: 'DefaultPreemption',
  postFilter: (pod, diagnosis, context) => {
    const obstacle = whyNotEligible(pod, diagnosis, context);
    if (obstacle !== undefined) return { message: `preemption: ${obstacle}` };
    const { candidates, failures } = findCandidates(pod, diagnosis, context, deps);
    const best = pickCandidate(candidates);
    if (best === undefined) return { nominatedNode: '', message: `preemption: ${formatDiagnosis(failures)}` };
    deps.preempted(best.victims.length);
    const losers = context.snapshot.nominatedPods(best.nodeName).filter((other) => other.priority < pod.priority);
    return { nominatedNode: best.nodeName, act: (signal) => preempt(pod, best, { losers, signal, deps }) } satisfies PostFilterResult;
  },
});

function whyNotEligible(pod: PodInfo, diagnosis: Diagnosis, { snapshot }: CycleContext): string | undefined {
  if (pod.pod.spec?.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const nominated = pod.pod.status?.nominatedNodeName;
  if (!nominated || diagnosis.rejections.get(nominated)?.code === 'unresolvable') return undefined;
  const isLeavingForUs = (other: PodInfo): boolean =>
    other.priority < pod.priority &&
    other.pod.metadata?.deletionTimestamp !== undefined &&
    other.pod.status?.conditions?.find((c) => c.type === 'DisruptionTarget')?.reason === preemptionReason;
  const isWaiting = [...(snapshot.node(nominated)?.pods.values() ?? [])].some(isLeavingForUs);
  return isWaiting ? 'not eligible due to a terminating pod on the nominated node.' : undefined;
}

function findCandidates(
  pod: PodInfo,
  diagnosis: Diagnosis,
  context: CycleContext,
  deps: DefaultPreemptionDependencies,
): { candidates: readonly Candidate[]; failures: Diagnosis } {
  const { snapshot } = context;
  const failures = newDiagnosis(snapshot.nodes.length);
  failures.absent = unresolvable('Preemption is not helpful for scheduling');
  const nodes = snapshot.nodes.filter((n) => (diagnosis.rejections.get(n.name) ?? diagnosis.absent)?.code === 'unschedulable');
  const wanted = Math.min(nodes.length, Math.max(minCandidates, Math.trunc((nodes.length * minCandidatesPercentage) / 100)));
  const offset = Math.floor(deps.random() * nodes.length);
  const harmless: Candidate[] = [];
  const harmful: Candidate[] = [];
  for (let i = 0; i < nodes.length; i++) {
    // Enough to choose from, with at least one that violates no budget.
    if (harmless.length > 0 && harmless.length + harmful.length >= wanted) break;
    const node = nodes[(offset + i) % nodes.length];
    if (node === undefined) continue;
    const result = selectVictims(pod, node, { profile: deps.profile(), context, budgets: deps.budgets() });
    if ('code' in result) failures.rejections.set(node.name, { ...result, plugin: 'DefaultPreemption' });
    else if (result.victims.length > 0) (result.budgetViolations === 0 ? harmless : harmful).push(result);
  }
  return { candidates: [...harmless, ...harmful], failures };
}

async function preempt(
  pod: PodInfo,
  candidate: Candidate,
  o: { readonly losers: readonly PodInfo[]; readonly signal: AbortSignal; readonly deps: DefaultPreemptionDependencies },
): Promise<void> {
  const { deps, signal } = o;
  const evict = async (victim: PodInfo): Promise<void> => {
    try {
      if (victim.pod.metadata?.deletionTimestamp === undefined) {
        await deps.client.patch(podResource, podKey(victim), {
          type: 'strategic',
          body: disruptionTarget(victim, deps.clock),
          subresource: 'status',
        });
        await deps.client.delete(podResource, podKey(victim), { preconditions: { uid: victim.uid }, signal });
      }
    } catch (error) {
      // Gone already.
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
      return;
    }
    deps.events.event(victim.pod, 'Normal', 'Preempted', `Preempted by pod ${pod.uid} on node ${candidate.nodeName}`);
  };
  await Promise.all([...candidate.victims.map(evict), ...o.losers.map((loser) => deps.clearNomination(loser))]);
}

const disruptionTarget = (victim: PodInfo, clock: Clock): object => ({
  metadata: { uid: victim.uid },
  status: {
    conditions: [
      {
        type: 'DisruptionTarget',
        status: 'True',
        reason: preemptionReason,
        message: 'default-scheduler: preempting to accommodate a higher priority pod',
        ...(victim.pod.metadata?.generation === undefined ? {} : { observedGeneration: victim.pod.metadata.generation }),
        lastTransitionTime: formatTime(clock.now()),
      },
    ],
  },
});
