import type { StatefulSetStatus } from '@skiff/api';
import { isAvailable, isReady } from '../pods/pod-state.ts';
import {
  identityMatches,
  inRange,
  ordinalOf,
  replicasOf,
  revisionOfPod,
  startOrdinal,
  storageMatches,
  type PodView,
  type SetView,
} from './identity.ts';

export interface StatefulSetInput {
  readonly set: SetView;
  /** Claimed pods that have a name of the set's. */
  readonly pods: readonly PodView[];
  readonly currentRevision: string;
  readonly updateRevision: string;
  /** Whether a pod's claims have the owners they should. */
  readonly claimsMatch: (pod: PodView) => boolean;
  readonly nowMs: number;
}

export type StatefulSetAction =
  | { readonly do: 'create'; readonly ordinal: number; readonly revision: 'current' | 'update' }
  | { readonly do: 'delete'; readonly pod: PodView }
  /** Missing claims of a pending pod. */
  | { readonly do: 'claims'; readonly pod: PodView }
  /** Identity, storage or owners of claims of a pod that has lost them. */
  | { readonly do: 'repair'; readonly pod: PodView };

const isBurst = (set: SetView): boolean => set.spec?.podManagementPolicy === 'Parallel';
const ended = (pod: PodView): boolean => pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
const going = (pod: PodView): boolean => pod.metadata?.deletionTimestamp !== undefined;
const runningAndReady = (pod: PodView): boolean => pod.status?.phase === 'Running' && isReady(pod);

/** A pod below the partition is of the current revision, others of the new one. */
function revisionFor(set: SetView, ordinal: number): 'current' | 'update' {
  const { type, rollingUpdate } = set.spec?.updateStrategy ?? {};
  if (type !== 'RollingUpdate') return 'update';
  const current = rollingUpdate === undefined ? (set.status?.currentReplicas ?? 0) : (rollingUpdate.partition ?? 0);
  return ordinal < startOrdinal(set) + current ? 'current' : 'update';
}

/** What to do now. With ordered pod management at most one pod is created or deleted, and nothing proceeds past one that isn't available. */
export function planStatefulSet(input: StatefulSetInput): readonly StatefulSetAction[] {
  const { set, pods, nowMs } = input;
  if (set.metadata?.deletionTimestamp !== undefined) return [];
  const available = (pod: PodView): boolean => isAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs);
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod) ?? -1, pod]));
  const actions: StatefulSetAction[] = [];

  for (let ordinal = startOrdinal(set); ordinal < startOrdinal(set) + replicasOf(set); ordinal++) {
    if (planReplica(byOrdinal.get(ordinal), ordinal, { input, actions, available }) && !isBurst(set)) return actions;
  }

  const condemned = [...byOrdinal].filter(([ordinal]) => ordinal >= 0 && !inRange(set, ordinal)).sort(([a], [b]) => b - a);
  for (const [, pod] of condemned) if (!input.claimsMatch(pod)) actions.push({ do: 'repair', pod });
  const firstUnavailable = [...byOrdinal]
    .sort(([a], [b]) => a - b)
    .find(([ordinal, pod]) => ordinal >= 0 && (!available(pod) || going(pod)))?.[1];
  for (const [, pod] of condemned) {
    if (isBurst(set)) {
      if (!going(pod)) actions.push({ do: 'delete', pod });
      continue;
    }
    // One that is not well may only go if it is the first such: else the trouble would spread.
    if (going(pod) || ((!runningAndReady(pod) || !available(pod)) && pod !== firstUnavailable)) return actions;
    actions.push({ do: 'delete', pod });
    return actions;
  }
  return [...actions, ...planUpdate(byOrdinal, { input, available, busy: actions.some((a) => a.do === 'create' || a.do === 'delete') })];
}

/** Returns whether what comes after it must wait. */
function planReplica(
  pod: PodView | undefined,
  ordinal: number,
  o: { input: StatefulSetInput; actions: StatefulSetAction[]; available: (pod: PodView) => boolean },
): boolean {
  const { set } = o.input;
  if (pod === undefined) {
    o.actions.push({ do: 'create', ordinal, revision: revisionFor(set, ordinal) });
    return true;
  }
  if (ended(pod)) {
    if (!going(pod)) o.actions.push({ do: 'delete', pod });
    return true;
  }
  if (pod.status?.phase === 'Pending') o.actions.push({ do: 'claims', pod });
  if (!isBurst(set) && (going(pod) || !runningAndReady(pod) || !o.available(pod))) return true;
  if (!identityMatches(pod) || !storageMatches(set, pod, ordinal) || !o.input.claimsMatch(pod)) o.actions.push({ do: 'repair', pod });
  return false;
}

/** The highest ordinal that is not of the new revision goes; below it nothing is touched until it is available again. */
function planUpdate(
  byOrdinal: ReadonlyMap<number, PodView>,
  o: { input: StatefulSetInput; available: (pod: PodView) => boolean; busy: boolean },
): readonly StatefulSetAction[] {
  const { set, updateRevision } = o.input;
  if (set.spec?.updateStrategy?.type === 'OnDelete' || o.busy) return [];
  const lowest = startOrdinal(set) + (set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0);
  for (let ordinal = startOrdinal(set) + replicasOf(set) - 1; ordinal >= lowest; ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined) return [];
    if (revisionOfPod(pod) !== updateRevision && !going(pod)) return [{ do: 'delete', pod }];
    if (!o.available(pod) || going(pod)) return [];
  }
  return [];
}

export function computeStatefulSetStatus(input: StatefulSetInput, collisionCount: number): StatefulSetStatus {
  const { set, pods, nowMs } = input;
  const created = pods.filter((pod) => Boolean(pod.status?.phase));
  const ready = pods.filter(runningAndReady);
  const ofRevision = (revision: string): number => created.filter((pod) => !going(pod) && revisionOfPod(pod) === revision).length;
  const conditions = set.status?.conditions;
  const status: StatefulSetStatus = {
    observedGeneration: set.metadata?.generation ?? 0,
    replicas: created.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs)).length,
    currentReplicas: ofRevision(input.currentRevision),
    updatedReplicas: ofRevision(input.updateRevision),
    currentRevision: input.currentRevision,
    updateRevision: input.updateRevision,
    collisionCount,
    ...(conditions === undefined ? {} : { conditions: structuredClone(conditions) as NonNullable<StatefulSetStatus['conditions']> }),
  };
  const all = replicasOf(set);
  // The update is through: the new revision is the current one now.
  if (
    set.spec?.updateStrategy?.type === 'RollingUpdate' &&
    status.updatedReplicas === all &&
    status.readyReplicas === all &&
    status.replicas === all
  )
    return { ...status, currentReplicas: status.updatedReplicas ?? 0, currentRevision: input.updateRevision };
  return status;
}

export function sameStatefulSetStatus(a: SetView['status'], b: StatefulSetStatus): boolean {
  const numbers = [
    'observedGeneration',
    'replicas',
    'readyReplicas',
    'availableReplicas',
    'currentReplicas',
    'updatedReplicas',
    'collisionCount',
  ] as const;
  return (
    numbers.every((name) => (a?.[name] ?? 0) === (b[name] ?? 0)) &&
    a?.currentRevision === b.currentRevision &&
    a?.updateRevision === b.updateRevision
  );
}
