import type { DeploymentCondition, DeploymentStatus } from '@skiff/api';
import { formatTime } from '@skiff/component-base';
import { findCondition, setCondition, withoutCondition } from '../conditions.ts';
import { desiredReplicas, maxUnavailable, replicasOf, type DeploymentView, type ReplicaSetView } from './scaling.ts';

const noDeadline = 2 ** 31 - 1;
export const hasProgressDeadline = (d: DeploymentView): boolean =>
  d.spec?.progressDeadlineSeconds !== undefined && d.spec.progressDeadlineSeconds !== noDeadline;

export const deploymentCondition = (o: {
  type: string;
  status: string;
  reason: string;
  message: string;
  nowMs: number;
}): DeploymentCondition => ({
  type: o.type,
  status: o.status,
  lastUpdateTime: formatTime(o.nowMs),
  lastTransitionTime: formatTime(o.nowMs),
  reason: o.reason,
  message: o.message,
});

const total = (sets: readonly ReplicaSetView[], of: (set: ReplicaSetView) => number | undefined): number =>
  sets.reduce((n, set) => n + (of(set) ?? 0), 0);

/** undefined as long as one ReplicaSet's controller doesn't count them. A set that nobody has seen yet doesn't matter. */
function terminatingReplicas(sets: readonly ReplicaSetView[]): number | undefined {
  const counted = sets.filter((set) => (set.status?.observedGeneration ?? 0) !== 0 || set.status?.terminatingReplicas !== undefined);
  return counted.some((set) => set.status?.terminatingReplicas === undefined)
    ? undefined
    : total(counted, (set) => set.status?.terminatingReplicas);
}

export interface StatusInput {
  readonly deployment: DeploymentView;
  /** The Deployment's status as this reconcile has changed it so far: conditions, collisionCount. */
  readonly recorded: DeploymentStatus;
  readonly newSet: ReplicaSetView | undefined;
  readonly sets: readonly ReplicaSetView[];
  readonly nowMs: number;
}

/** Counts and the Available condition. */
export function computeDeploymentStatus(input: StatusInput): DeploymentStatus {
  const { deployment, sets, newSet, recorded, nowMs } = input;
  const available = total(sets, (set) => set.status?.availableReplicas);
  const terminating = terminatingReplicas(sets);
  const enough = available >= desiredReplicas(deployment) - maxUnavailable(deployment);
  const availability = enough
    ? { status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
    : { status: 'False', reason: 'MinimumReplicasUnavailable', message: 'Deployment does not have minimum availability.' };
  return {
    observedGeneration: deployment.metadata?.generation ?? 0,
    replicas: total(sets, (set) => set.status?.replicas),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: total(sets, (set) => set.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total(sets, replicasOf) - available),
    ...(terminating === undefined ? {} : { terminatingReplicas: terminating }),
    ...(recorded.collisionCount === undefined ? {} : { collisionCount: recorded.collisionCount }),
    conditions: setCondition(recorded.conditions ?? [], deploymentCondition({ type: 'Available', ...availability, nowMs })),
  };
}

export const isComplete = (d: DeploymentView, status: DeploymentStatus): boolean =>
  status.updatedReplicas === desiredReplicas(d) &&
  status.replicas === desiredReplicas(d) &&
  status.availableReplicas === desiredReplicas(d) &&
  (status.observedGeneration ?? 0) >= (d.metadata?.generation ?? 0);

function isProgressing(d: DeploymentView, status: DeploymentStatus): boolean {
  const old = d.status;
  const oldPods = (old?.replicas ?? 0) - (old?.updatedReplicas ?? 0);
  const oldPodsNow = (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (status.updatedReplicas ?? 0) > (old?.updatedReplicas ?? 0) ||
    oldPodsNow < oldPods ||
    (status.readyReplicas ?? 0) > (old?.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (old?.availableReplicas ?? 0)
  );
}

const deadlineAtMs = (d: DeploymentView, condition: DeploymentCondition): number =>
  Date.parse(condition.lastUpdateTime ?? '') + (d.spec?.progressDeadlineSeconds ?? 0) * 1000;

function isTimedOut(d: DeploymentView, conditions: readonly DeploymentCondition[], nowMs: number): boolean {
  const condition = findCondition(conditions, 'Progressing');
  if (condition === undefined || condition.reason === 'NewReplicaSetAvailable') return false;
  return condition.reason === 'ProgressDeadlineExceeded' || deadlineAtMs(d, condition) < nowMs;
}

/** Status during a rollout: computeDeploymentStatus with the Progressing and ReplicaFailure conditions. */
export function computeRolloutStatus(input: StatusInput): DeploymentStatus {
  const { deployment, newSet, nowMs } = input;
  const status = computeDeploymentStatus(input);
  let conditions = status.conditions ?? [];
  const current = findCondition(input.recorded.conditions, 'Progressing');
  const subject = newSet === undefined ? `Deployment "${deployment.metadata?.name ?? ''}"` : `ReplicaSet "${newSet.metadata?.name ?? ''}"`;
  const progress = (o: { status: string; reason: string; message: string }): DeploymentCondition =>
    deploymentCondition({ type: 'Progressing', ...o, nowMs });

  if (!hasProgressDeadline(deployment)) conditions = withoutCondition(conditions, 'Progressing');
  else if (!(status.replicas === status.updatedReplicas && current?.reason === 'NewReplicaSetAvailable')) {
    if (isComplete(deployment, status)) {
      conditions = setCondition(
        conditions,
        progress({ status: 'True', reason: 'NewReplicaSetAvailable', message: `${subject} has successfully progressed.` }),
      );
    } else if (isProgressing(deployment, status)) {
      // Not setCondition: with the same reason the time of the last progress must still move on.
      const condition = progress({ status: 'True', reason: 'ReplicaSetUpdated', message: `${subject} is progressing.` });
      const since = current?.status === 'True' ? current.lastTransitionTime : undefined;
      conditions = [...withoutCondition(conditions, 'Progressing'), since ? { ...condition, lastTransitionTime: since } : condition];
    } else if (isTimedOut(deployment, conditions, nowMs)) {
      conditions = setCondition(
        conditions,
        progress({ status: 'False', reason: 'ProgressDeadlineExceeded', message: `${subject} has timed out progressing.` }),
      );
    }
  }

  const failures = [...(newSet === undefined ? [] : [newSet]), ...input.sets].map((set) =>
    findCondition(set.status?.conditions, 'ReplicaFailure'),
  );
  const failure = failures.find((c) => c !== undefined);
  conditions =
    failure === undefined
      ? withoutCondition(conditions, 'ReplicaFailure')
      : setCondition(conditions, { ...failure, lastUpdateTime: failure.lastTransitionTime ?? null } as DeploymentCondition);
  return { ...status, conditions };
}

/** Milliseconds until a rollout without progress must be looked at again; undefined when it needn't be. */
export function nextProgressCheckMs(d: DeploymentView, status: DeploymentStatus, nowMs: number): number | undefined {
  const condition = findCondition(status.conditions, 'Progressing');
  if (!hasProgressDeadline(d) || condition === undefined || isComplete(d, status) || condition.reason === 'ProgressDeadlineExceeded')
    return undefined;
  if (condition.reason === 'NewReplicaSetAvailable') return undefined;
  return Math.max(deadlineAtMs(d, condition) - nowMs, 0) + 1000;
}

/** Absent counts are zero on the wire. */
export function sameDeploymentStatus(a: DeploymentView['status'], b: DeploymentStatus): boolean {
  const numbers = [
    'observedGeneration',
    'replicas',
    'updatedReplicas',
    'readyReplicas',
    'availableReplicas',
    'unavailableReplicas',
  ] as const;
  return (
    numbers.every((name) => (a?.[name] ?? 0) === (b[name] ?? 0)) &&
    a?.terminatingReplicas === b.terminatingReplicas &&
    a?.collisionCount === b.collisionCount &&
    JSON.stringify((a?.conditions ?? []).map(conditionKey)) === JSON.stringify((b.conditions ?? []).map(conditionKey))
  );
}
const conditionKey = (c: { readonly [K in keyof DeploymentCondition]: DeploymentCondition[K] }): readonly unknown[] => [
  c.type,
  c.status,
  c.reason,
  c.message,
  c.lastUpdateTime,
  c.lastTransitionTime,
];
