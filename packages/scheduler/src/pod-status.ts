import type { PodCondition } from '@skiff/api';
import { formatTime, hasReason } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { Clock } from '@skiff/component-base';
import { podKey, type PodInfo } from './framework/pod-info.ts';
import { podResource } from './resource-refs.ts';

export interface PodScheduledUpdate {
  readonly reason: 'Unschedulable' | 'SchedulerError';
  readonly message: string;
  /** Absent: leave it. */
  readonly nominatedNode: string | undefined;
}

/** Says in a pod's status why it is not placed. Writes nothing when it says so already; a pod that is gone is no error. */
export async function updatePodScheduled(pod: PodInfo, update: PodScheduledUpdate, deps: { client: Client; clock: Clock }): Promise<void> {
  const { status, metadata } = pod.pod;
  const old = status?.conditions?.find((c) => c.type === 'PodScheduled');
  const isSame = old?.status === 'False' && old.reason === update.reason && old.message === update.message;
  const isNominationKept = update.nominatedNode === undefined || update.nominatedNode === (status?.nominatedNodeName ?? '');
  if (isSame && isNominationKept) return;
  const condition: PodCondition = {
    type: 'PodScheduled',
    status: 'False',
    reason: update.reason,
    message: update.message,
    ...(metadata?.generation === undefined ? {} : { observedGeneration: metadata.generation }),
    lastTransitionTime: old?.status === 'False' && old.lastTransitionTime ? old.lastTransitionTime : formatTime(deps.clock.now()),
  };
  const body = {
    metadata: { uid: pod.uid },
    status: {
      conditions: [condition],
      ...(isNominationKept ? {} : { nominatedNodeName: update.nominatedNode === '' ? null : update.nominatedNode }),
    },
  };
  await patchStatus(pod, body, deps.client);
}

/** Promises a node to a pod, or (undefined) takes the promise back. */
export const nominateNode = (pod: PodInfo, nodeName: string | undefined, client: Client): Promise<void> =>
  patchStatus(pod, { metadata: { uid: pod.uid }, status: { nominatedNodeName: nodeName ?? null } }, client);

async function patchStatus(pod: PodInfo, body: unknown, client: Client): Promise<void> {
  try {
    await client.patch(podResource, podKey(pod), { type: 'strategic', body, subresource: 'status' });
  } catch (error) {
    // Deleted meanwhile, or another pod of its name has taken its place.
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
  }
}
