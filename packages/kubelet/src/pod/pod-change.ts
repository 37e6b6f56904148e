import { kubeletConditions } from '../status/conditions.ts';
import { sameJson } from '../status/status-patch.ts';
import { isTerminalPhase, type PodSnapshot } from './pod-snapshot.ts';

/** Whether a newer version of a pod has something to act on. */
export function meansWork(before: PodSnapshot, after: PodSnapshot): boolean {
  const relevant = (p: PodSnapshot): unknown => {
    const { generation, labels, annotations, deletionTimestamp, deletionGracePeriodSeconds } = p.metadata;
    const others = (p.status.conditions ?? []).filter((c) => !kubeletConditions.has(c.type)).map((c) => [c.type, c.status]);
    return {
      generation,
      labels,
      annotations,
      deletionTimestamp,
      deletionGracePeriodSeconds,
      others,
      over: isTerminalPhase(p.status.phase),
    };
  };
  // Some writers of pods keep no generation; then the spec itself is looked at.
  const sameSpec = before.metadata.generation !== undefined || sameJson(before.spec, after.spec);
  return !sameSpec || !sameJson(relevant(before), relevant(after));
}
