import type { Pod } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { isReady, readySinceMs } from './pod-state.ts';

type PodView = DeepReadonly<Pod>;

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };
const costAnnotation = 'controller.kubernetes.io/pod-deletion-cost';

/** The annotation's int32; 0 where it is absent or none (upstream's spelling: no plus sign, no leading zeros). */
export function deletionCost(pod: PodView): number {
  const text = pod.metadata?.annotations?.[costAnnotation];
  if (text === undefined || !/^(0|-?[1-9]\d*)$/.test(text)) return 0;
  const value = Number(text);
  return value >= -(2 ** 31) && value < 2 ** 31 ? value : 0;
}

/** Ages in powers of two, so that "the newest go first" still spreads deletions over pods of about one age. */
function logarithmicRank(sinceMs: number, nowMs: number): number {
  const nanos = (nowMs - sinceMs) * 1e6;
  return nanos > 0 ? Math.trunc(Math.log2(nanos)) : -1;
}

function restarts(pod: PodView): { containers: number; sidecars: number } {
  const sidecarNames = new Set((pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name));
  const most = (counts: readonly number[]): number => counts.reduce((a, b) => Math.max(a, b), 0);
  return {
    containers: most((pod.status?.containerStatuses ?? []).map((s) => s.restartCount ?? 0)),
    sidecars: most((pod.status?.initContainerStatuses ?? []).filter((s) => sidecarNames.has(s.name)).map((s) => s.restartCount ?? 0)),
  };
}

const uidOrder = (a: PodView, b: PodView): number => ((a.metadata?.uid ?? '') < (b.metadata?.uid ?? '') ? -1 : 1);

function byAge(a: { pod: PodView; ms: number }, b: { pod: PodView; ms: number }, nowMs: number): number {
  if (Number.isNaN(a.ms) || Number.isNaN(b.ms)) return Number.isNaN(a.ms) ? -1 : 1;
  return logarithmicRank(a.ms, nowMs) - logarithmicRank(b.ms, nowMs) || uidOrder(a.pod, b.pod);
}

/** `rank`: how many pods of the same workload are active on the pod's node. */
export interface RankedPod {
  readonly pod: PodView;
  readonly rank: number;
}

/** Negative: `a` goes before `b`. The order is documented with ReplicaSet ("scaling down a ReplicaSet"). */
export function compareForDeletion(a: RankedPod, b: RankedPod, nowMs: number): number {
  const [p, q] = [a.pod, b.pod];
  const assigned = Number(Boolean(p.spec?.nodeName)) - Number(Boolean(q.spec?.nodeName));
  if (assigned !== 0) return assigned;
  const phase = (phaseRank[p.status?.phase ?? ''] ?? 0) - (phaseRank[q.status?.phase ?? ''] ?? 0);
  if (phase !== 0) return phase;
  const ready = Number(isReady(p)) - Number(isReady(q));
  if (ready !== 0) return ready;
  const cost = deletionCost(p) - deletionCost(q);
  if (cost !== 0) return cost;
  if (a.rank !== b.rank) return b.rank - a.rank;
  if (isReady(p)) {
    const [pMs, qMs] = [readySinceMs(p) ?? Number.NaN, readySinceMs(q) ?? Number.NaN];
    if (pMs !== qMs && !(Number.isNaN(pMs) && Number.isNaN(qMs))) return byAge({ pod: p, ms: pMs }, { pod: q, ms: qMs }, nowMs);
  }
  const [pRestarts, qRestarts] = [restarts(p), restarts(q)];
  if (pRestarts.containers !== qRestarts.containers) return qRestarts.containers - pRestarts.containers;
  if (pRestarts.sidecars !== qRestarts.sidecars) return qRestarts.sidecars - pRestarts.sidecars;
  const [pMs, qMs] = [Date.parse(p.metadata?.creationTimestamp ?? ''), Date.parse(q.metadata?.creationTimestamp ?? '')];
  if (pMs === qMs || (Number.isNaN(pMs) && Number.isNaN(qMs))) return 0;
  return byAge({ pod: p, ms: pMs }, { pod: q, ms: qMs }, nowMs);
}

/** The `count` pods to delete first. `related`: active pods of the same workload, for the crowding on nodes. */
export function choosePodsToDelete(
  pods: readonly PodView[],
  related: readonly PodView[],
  o: { count: number; nowMs: number },
): readonly PodView[] {
  if (o.count >= pods.length) return pods;
  const perNode = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec?.nodeName ?? '';
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  return pods
    .map((pod): RankedPod => ({ pod, rank: perNode.get(pod.spec?.nodeName ?? '') ?? 0 }))
    .sort((a, b) => compareForDeletion(a, b, o.nowMs))
    .slice(0, o.count)
    .map(({ pod }) => pod);
}
