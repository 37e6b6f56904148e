import type { Pod, PodCondition } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

type PodView = DeepReadonly<Pod>;

export const isTerminal = (pod: PodView): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
/** Counts as a replica: neither ended nor on its way out. */
export const isActive = (pod: PodView): boolean => !isTerminal(pod) && pod.metadata?.deletionTimestamp === undefined;
export const isTerminating = (pod: PodView): boolean => !isTerminal(pod) && pod.metadata?.deletionTimestamp !== undefined;

export const podCondition = (pod: PodView, type: string): DeepReadonly<PodCondition> | undefined =>
  pod.status?.conditions?.find((c) => c.type === type);
export const isReady = (pod: PodView): boolean => podCondition(pod, 'Ready')?.status === 'True';

/** Milliseconds since the epoch; undefined when it is not ready. */
export function readySinceMs(pod: PodView): number | undefined {
  const condition = podCondition(pod, 'Ready');
  if (condition?.status !== 'True' || !condition.lastTransitionTime) return undefined;
  return Date.parse(condition.lastTransitionTime);
}

/** When a ready pod becomes available; undefined when it isn't ready. */
export function availableAtMs(pod: PodView, minReadySeconds: number): number | undefined {
  const since = readySinceMs(pod);
  return since === undefined ? undefined : since + minReadySeconds * 1000;
}
export function isAvailable(pod: PodView, minReadySeconds: number, nowMs: number): boolean {
  if (!isReady(pod)) return false;
  if (minReadySeconds === 0) return true;
  const at = availableAtMs(pod, minReadySeconds);
  return at !== undefined && at <= nowMs;
}

/** Milliseconds until the next of `pods` becomes available; undefined when none is about to. */
export function nextAvailabilityMs(pods: readonly PodView[], minReadySeconds: number, nowMs: number): number | undefined {
  const delays = pods.map((pod) => availableAtMs(pod, minReadySeconds)).filter((at) => at !== undefined && at > nowMs) as number[];
  return delays.length === 0 ? undefined : Math.min(...delays) - nowMs;
}
