import type { ContainerStatus, PodCondition } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { ObservedPod } from '../actions/observed-pod.ts';
import { asksToRestartAll } from '../actions/restart-policy.ts';
import { initContainersOf, isSidecar, type PodSnapshot } from '../pod/pod-snapshot.ts';

/** Conditions that are the kubelet's to write; all others are left as they are. */
export const kubeletConditions: ReadonlySet<string> = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  'AllContainersRestarting',
  'PodResizePending',
  'PodResizeInProgress',
]);

/** Its own conditions, and the one by which it says that it ended a pod, which others write as well. */
export const isKubeletCondition = (c: DeepReadonly<PodCondition>): boolean =>
  kubeletConditions.has(c.type) || (c.type === 'DisruptionTarget' && c.reason === 'TerminationByKubelet');

type Verdict = Pick<PodCondition, 'status' | 'reason' | 'message'>;
const list = (names: readonly string[]): string => `[${names.join(' ')}]`;

function describeMissing(unknown: readonly string[], unready: readonly string[], word: string): string {
  const parts: string[] = [];
  if (unknown.length > 0) parts.push(`containers with unknown status: ${list(unknown)}`);
  if (unready.length > 0) parts.push(`containers with ${word} status: ${list(unready)}`);
  return parts.join(', ');
}

function sort(
  names: readonly string[],
  statuses: readonly ContainerStatus[],
  good: (s: ContainerStatus) => boolean,
): { unknown: string[]; bad: string[] } {
  const out = { unknown: [] as string[], bad: [] as string[] };
  for (const name of names) {
    const status = statuses.find((s) => s.name === name);
    if (status === undefined) out.unknown.push(name);
    else if (!good(status)) out.bad.push(name);
  }
  return out;
}

export function containersReady(pod: PodSnapshot, statuses: readonly ContainerStatus[], phase: string): Verdict {
  const names = [...initContainersOf(pod).filter(isSidecar), ...pod.spec.containers].map((c) => c.name);
  const { unknown, bad } = sort(names, statuses, (s) => s.ready);
  if (phase === 'Succeeded' && unknown.length === 0) return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const message = describeMissing(unknown, bad, 'unready');
  return message === '' ? { status: 'True' } : { status: 'False', reason: 'ContainersNotReady', message };
}

export function allContainersRestarting(pod: PodSnapshot, observed: ObservedPod, phase: string): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  return { status: asksToRestartAll(pod, observed) ? 'True' : 'False' };
}

export function podReady(
  pod: PodSnapshot,
  statuses: readonly ContainerStatus[],
  phase: string,
  others: readonly DeepReadonly<PodCondition>[],
): Verdict {
  const containers = containersReady(pod, statuses, phase);
  if (containers.status !== 'True') return containers;
  const missing: string[] = [];
  for (const gate of pod.spec.readinessGates ?? []) {
    const condition = others.find((c) => c.type === gate.conditionType);
    if (condition === undefined) missing.push(`corresponding condition of pod readiness gate "${gate.conditionType}" does not exist.`);
    else if (condition.status !== 'True')
      missing.push(`the status of pod readiness gate "${gate.conditionType}" is not "True", but ${condition.status}`);
  }
  return missing.length === 0 ? { status: 'True' } : { status: 'False', reason: 'ReadinessGatesNotReady', message: missing.join(', ') };
}

export function podInitialized(pod: PodSnapshot, statuses: readonly ContainerStatus[], phase: string): Verdict {
  const init = initContainersOf(pod);
  const byName = new Map(init.map((c) => [c.name, c]));
  const { unknown, bad } = sort(
    init.map((c) => c.name),
    statuses,
    (s) => {
      const c = byName.get(s.name);
      return c !== undefined && isSidecar(c) ? s.started === true : s.ready;
    },
  );
  if (phase === 'Succeeded' && unknown.length === 0) return { status: 'True', reason: 'PodCompleted' };
  const started = pod.spec.containers.some((c) => {
    const s = statuses.find((x) => x.name === c.name);
    return s?.state?.running !== undefined || s?.state?.terminated !== undefined || s?.lastState?.terminated !== undefined;
  });
  if (started) return { status: 'True' };
  const message = describeMissing(unknown, bad, 'incomplete');
  return message === '' ? { status: 'True' } : { status: 'False', reason: 'ContainersNotInitialized', message };
}

/** A condition with its times: the transition's is kept while the status stays. */
export function stampCondition(
  type: string,
  verdict: Verdict,
  o: { previous: readonly DeepReadonly<PodCondition>[]; generation: number | undefined; now: string },
): PodCondition {
  const old = o.previous.find((c) => c.type === type);
  const lastTransitionTime = old !== undefined && old.status === verdict.status && old.lastTransitionTime ? old.lastTransitionTime : o.now;
  return {
    type,
    ...(o.generation === undefined ? {} : { observedGeneration: o.generation }),
    status: verdict.status,
    lastProbeTime: null,
    lastTransitionTime,
    ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
    ...(verdict.message === undefined ? {} : { message: verdict.message }),
  };
}
