import type { Node, Taint, Toleration } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { findCondition } from '../conditions.ts';

export type NodeView = DeepReadonly<Node>;

export const notReadyTaint = 'node.kubernetes.io/not-ready';
export const unreachableTaint = 'node.kubernetes.io/unreachable';
export const outOfServiceTaint = 'node.kubernetes.io/out-of-service';

/** Condition and its status → taint. The values are documented under "Taint Nodes by Condition". */
const noScheduleByCondition: readonly (readonly [type: string, status: string, key: string])[] = [
  ['Ready', 'False', notReadyTaint],
  ['Ready', 'Unknown', unreachableTaint],
  ['MemoryPressure', 'True', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'True', 'node.kubernetes.io/disk-pressure'],
  ['NetworkUnavailable', 'True', 'node.kubernetes.io/network-unavailable'],
  ['PIDPressure', 'True', 'node.kubernetes.io/pid-pressure'],
];
const unschedulableTaint = 'node.kubernetes.io/unschedulable';
const managedNoSchedule: ReadonlySet<string> = new Set([...noScheduleByCondition.map(([, , key]) => key), unschedulableTaint]);
const managedNoExecute: ReadonlySet<string> = new Set([notReadyTaint, unreachableTaint]);

const isManaged = (t: DeepReadonly<Taint>): boolean =>
  (t.effect === 'NoSchedule' && managedNoSchedule.has(t.key)) || (t.effect === 'NoExecute' && managedNoExecute.has(t.key));

/** Whether pods are being evicted from the node for its health already, be it for the other of the two reasons. */
export const hasHealthNoExecute = (node: NodeView): boolean =>
  (node.spec?.taints ?? []).some((t) => t.effect === 'NoExecute' && managedNoExecute.has(t.key));

/** The NoExecute taint that a node's Ready condition asks for. */
export function wantedNoExecute(node: NodeView): string | undefined {
  const ready = findCondition(node.status?.conditions ?? [], 'Ready');
  return ready?.status === 'False' ? notReadyTaint : ready?.status === 'Unknown' ? unreachableTaint : undefined;
}

/**
 * A node's taints as its conditions want them, others untouched; undefined when they are so already. `noExecute`: whether pods
 * may be evicted from it now; false keeps a NoExecute taint that is right, but adds none.
 */
export function computeTaints(node: NodeView, o: { noExecute: boolean | 'none'; now: string }): Taint[] | undefined {
  const current = (node.spec?.taints ?? []) as readonly Taint[];
  const wanted: Taint[] = noScheduleByCondition
    .filter(([type, status]) => findCondition(node.status?.conditions ?? [], type)?.status === status)
    .map(([, , key]) => ({ key, effect: 'NoSchedule' }));
  if (node.spec?.unschedulable === true) wanted.push({ key: unschedulableTaint, effect: 'NoSchedule' });
  const execute = o.noExecute === 'none' ? undefined : wantedNoExecute(node);
  const has = (key: string, effect: string): Taint | undefined => current.find((t) => t.key === key && t.effect === effect);
  if (execute !== undefined && (o.noExecute === true || has(execute, 'NoExecute') !== undefined))
    wanted.push({ key: execute, effect: 'NoExecute' });

  const kept = current.filter((t) => !isManaged(t) || wanted.some((w) => w.key === t.key && w.effect === t.effect));
  const added = wanted.filter((w) => has(w.key, w.effect) === undefined).map((w) => ({ ...w, timeAdded: o.now }));
  return added.length === 0 && kept.length === current.length ? undefined : [...kept, ...added];
}

export function tolerates(toleration: DeepReadonly<Toleration>, taint: DeepReadonly<Taint>): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return (!toleration.operator || toleration.operator === 'Equal') && (toleration.value ?? '') === (taint.value ?? '');
}

/** How long a pod may stay on a node because of one cause. */
export interface Allowance {
  readonly cause: string;
  readonly ms: number;
}
/** A node that is not ready and then unreachable (or the other way round) has been lost once: the time runs on. */
const causeOf = (taint: DeepReadonly<Taint>): string =>
  taint.key === notReadyTaint || taint.key === unreachableTaint ? unreachableTaint : taint.key;

/**
 * What NoExecute taints leave to a pod with these tolerations: nothing said about taints that it tolerates for good, 0 for those
 * that it doesn't tolerate. The first toleration that matches a taint decides.
 */
export function stayAllowances(
  tolerations: readonly DeepReadonly<Toleration>[],
  taints: readonly DeepReadonly<Taint>[],
): readonly Allowance[] {
  const allowances: Allowance[] = [];
  for (const taint of taints) {
    if (taint.effect !== 'NoExecute') continue;
    const toleration = tolerations.find((t) => tolerates(t, taint));
    if (toleration === undefined) allowances.push({ cause: causeOf(taint), ms: 0 });
    else if (toleration.tolerationSeconds !== undefined && toleration.tolerationSeconds !== null)
      allowances.push({ cause: causeOf(taint), ms: Math.max(0, toleration.tolerationSeconds) * 1000 });
  }
  return allowances;
}
