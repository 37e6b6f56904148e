import type { ContainerStateTerminated, ContainerStatus } from '@skiff/api';
import { shouldRestartAfter } from '../actions/restart-policy.ts';
import { startingOverReason } from './container-statuses.ts';
import { type ContainerSpec, initContainersOf, isSidecar, isStaticPod, type PodSnapshot } from '../pod/pod-snapshot.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

interface InitCounts {
  pending: number;
  failedForGood: boolean;
}

/** What was ended to start over does, whatever the policy. */
const isForGood = (c: ContainerSpec, pod: PodSnapshot, ended: ContainerStateTerminated): boolean =>
  ended.reason !== startingOverReason && !shouldRestartAfter(c, pod, ended.exitCode);

function countInit(pod: PodSnapshot, statuses: ReadonlyMap<string, ContainerStatus>): InitCounts {
  const counts: InitCounts = { pending: 0, failedForGood: false };
  for (const c of initContainersOf(pod)) {
    if (isSidecar(c)) continue;
    const status = statuses.get(c.name);
    const state = status?.state;
    const ended = state?.terminated ?? (state?.waiting === undefined ? undefined : status?.lastState?.terminated);
    if (ended === undefined) counts.pending += 1;
    else if (ended.exitCode !== 0 && isForGood(c, pod, ended)) counts.failedForGood = true;
  }
  return counts;
}

interface Counts {
  unknown: number;
  running: number;
  waiting: number;
  stopped: number;
  stoppedForGood: number;
  succeeded: number;
  pendingSidecars: number;
}

function countApps(pod: PodSnapshot, statuses: ReadonlyMap<string, ContainerStatus>, counts: Counts): void {
  const stopped = (c: ContainerSpec, ended: ContainerStateTerminated): void => {
    counts.stopped += 1;
    if (isForGood(c, pod, ended)) counts.stoppedForGood += 1;
  };
  for (const c of pod.spec.containers) {
    const status = statuses.get(c.name);
    const terminated = status?.state?.terminated;
    const last = status?.lastState?.terminated;
    if (status?.state?.running !== undefined) counts.running += 1;
    else if (terminated !== undefined) {
      stopped(c, terminated);
      if (terminated.exitCode === 0) counts.succeeded += 1;
    } else if (status?.state?.waiting === undefined) counts.unknown += 1;
    else if (last !== undefined) stopped(c, last);
    else counts.waiting += 1;
  }
}

function countSidecars(pod: PodSnapshot, statuses: ReadonlyMap<string, ContainerStatus>, counts: Counts): void {
  for (const c of initContainersOf(pod)) {
    if (!isSidecar(c)) continue;
    const status = statuses.get(c.name);
    if (status?.state?.running !== undefined) {
      counts.running += 1;
      if (status.started !== true) counts.pendingSidecars += 1;
    } else if (status?.state?.terminated !== undefined) continue;
    else if (status?.state?.waiting === undefined) {
      counts.unknown += 1;
      if (status !== undefined) counts.pendingSidecars += 1;
    } else if (status.lastState?.terminated === undefined) {
      counts.waiting += 1;
      counts.pendingSidecars += 1;
    }
  }
}

/**
 * The phase that follows from container statuses (API doc: Pod lifecycle).
 * `terminal`: no container will be started again whatever the policy; `initialized`: an app container has run.
 */
export function computePhase(
  pod: PodSnapshot,
  all: readonly ContainerStatus[],
  o: { readonly terminal: boolean; readonly initialized: boolean },
): PodPhase {
  const statuses = new Map(all.map((s) => [s.name, s]));
  const init = countInit(pod, statuses);
  if (init.failedForGood) return 'Failed';
  const counts: Counts = { unknown: 0, running: 0, waiting: 0, stopped: 0, stoppedForGood: 0, succeeded: 0, pendingSidecars: 0 };
  countSidecars(pod, statuses, counts);
  countApps(pod, statuses, counts);
  if (init.pending > 0 || (counts.pendingSidecars > 0 && !o.initialized) || counts.waiting > 0) return 'Pending';
  if (counts.running > 0 && counts.unknown === 0) return 'Running';
  if (counts.running === 0 && counts.stopped > 0 && counts.unknown === 0) {
    if (o.terminal && !isStaticPod(pod)) return counts.stopped === counts.succeeded ? 'Succeeded' : 'Failed';
    if (counts.stopped !== counts.stoppedForGood) return 'Running';
    return counts.stopped === counts.succeeded ? 'Succeeded' : 'Failed';
  }
  return 'Pending';
}
