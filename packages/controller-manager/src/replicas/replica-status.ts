import type { Pod, ReplicaSetCondition, ReplicaSetStatus } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { formatTime } from '@skiff/component-base';
import { findCondition, setCondition, withoutCondition } from '../conditions.ts';
import { isAvailable, isReady } from '../pods/pod-state.ts';

type PodView = DeepReadonly<Pod>;

export interface ReplicaStatusInput {
  readonly status: DeepReadonly<ReplicaSetStatus> | undefined;
  readonly generation: number;
  readonly replicas: number;
  readonly minReadySeconds: number;
  readonly templateLabels: Readonly<Record<string, string>>;
  readonly active: readonly PodView[];
  /** undefined: this kind does not count them (ReplicationController). */
  readonly terminating: readonly PodView[] | undefined;
  /** Why pods could not be created or deleted this time. */
  readonly failure: Error | undefined;
  readonly nowMs: number;
}

/** Status of a ReplicaSet or ReplicationController. A failure that is recorded already keeps its condition. */
export function computeReplicaStatus(input: ReplicaStatusInput): ReplicaSetStatus {
  const labels = Object.entries(input.templateLabels);
  const recorded = (input.status?.conditions ?? []) as ReplicaSetCondition[];
  const failing = findCondition(recorded, 'ReplicaFailure') !== undefined;
  let conditions = recorded;
  if (input.failure !== undefined && !failing) {
    const reason = input.active.length < input.replicas ? 'FailedCreate' : input.active.length > input.replicas ? 'FailedDelete' : '';
    conditions = setCondition(recorded, {
      type: 'ReplicaFailure',
      status: 'True',
      lastTransitionTime: formatTime(input.nowMs),
      reason,
      message: input.failure.message,
    });
  } else if (input.failure === undefined && failing) conditions = withoutCondition(recorded, 'ReplicaFailure');
  return {
    replicas: input.active.length,
    fullyLabeledReplicas: input.active.filter((pod) => labels.every(([k, v]) => pod.metadata?.labels?.[k] === v)).length,
    readyReplicas: input.active.filter(isReady).length,
    availableReplicas: input.active.filter((pod) => isAvailable(pod, input.minReadySeconds, input.nowMs)).length,
    ...(input.terminating === undefined ? {} : { terminatingReplicas: input.terminating.length }),
    observedGeneration: input.generation,
    ...(conditions.length === 0 ? {} : { conditions: [...conditions] }),
  };
}

/** Absent counts are zero on the wire. */
export function sameReplicaStatus(a: DeepReadonly<ReplicaSetStatus> | undefined, b: ReplicaSetStatus): boolean {
  const numbers = ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration'] as const;
  return (
    numbers.every((name) => (a?.[name] ?? 0) === (b[name] ?? 0)) &&
    a?.terminatingReplicas === b.terminatingReplicas &&
    JSON.stringify(a?.conditions ?? []) === JSON.stringify(b.conditions ?? [])
  );
}
