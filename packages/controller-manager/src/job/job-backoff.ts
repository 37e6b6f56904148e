import type { ContainerStatus } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { podCondition } from '../pods/pod-state.ts';
import type { PodView } from './job-policies.ts';

const initialMs = 10_000;
const maxMs = 600_000;

export interface BackoffRecord {
  readonly failuresAfterLastSuccess: number;
  readonly lastFailureMs: number | undefined;
}
export const noFailures: BackoffRecord = { failuresAfterLastSuccess: 0, lastFailureMs: undefined };

const time = (text: string | null | undefined): number => (text ? Date.parse(text) : Number.NaN);

/** When a pod ended, as well as its status tells. */
export function finishedAtMs(pod: PodView): number {
  const sidecars = new Set((pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name));
  const statuses: readonly DeepReadonly<ContainerStatus>[] = [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []).filter((s) => sidecars.has(s.name)),
  ];
  const ends = statuses.map((s) => time(s.state?.terminated?.finishedAt));
  if (ends.length > 0 && !ends.some(Number.isNaN)) return Math.max(...ends);
  const ready = podCondition(pod, 'Ready');
  if (ready?.status === 'False' && ready.lastTransitionTime) return time(ready.lastTransitionTime);
  if (pod.metadata?.deletionTimestamp !== undefined)
    return time(pod.metadata.deletionTimestamp) - (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  return time(pod.metadata?.creationTimestamp);
}

/** Failures since the last success, with pods that have ended since. */
export function nextBackoff(record: BackoffRecord, succeeded: readonly PodView[], failed: readonly PodView[]): BackoffRecord {
  const failures = failed.map(finishedAtMs).sort((a, b) => a - b);
  if (succeeded.length === 0) {
    const last = failures.at(-1);
    return last === undefined
      ? record
      : { failuresAfterLastSuccess: record.failuresAfterLastSuccess + failures.length, lastFailureMs: last };
  }
  const lastSuccessMs = Math.max(...succeeded.map(finishedAtMs));
  const later = failures.filter((at) => at > lastSuccessMs);
  return { failuresAfterLastSuccess: later.length, lastFailureMs: later.at(-1) };
}

/** Milliseconds to wait before the next pod: 10 s after a failure, doubling, at most ten minutes. */
export function remainingMs(failures: number, lastFailureMs: number | undefined, nowMs: number): number {
  if (failures === 0 || lastFailureMs === undefined) return 0;
  const delayMs = Math.min(initialMs * 2 ** (failures - 1), maxMs);
  return Math.max(0, lastFailureMs + delayMs - nowMs);
}
