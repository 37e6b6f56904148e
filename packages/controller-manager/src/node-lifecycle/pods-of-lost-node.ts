import { pod as pods, type Pod } from '@skiff/api';
import { hasReason, type DeepReadonly } from '@skiff/apimachinery';
import { formatTime } from '@skiff/component-base';
import type { RunContext } from '../descriptor.ts';
import { podCondition } from '../pods/pod-state.ts';

/** Pods whose status is written at once. */
const writesAtOnce = 16;
type Context = Pick<RunContext, 'client' | 'clock' | 'events'>;

async function markNotReady(context: Context, pod: DeepReadonly<Pod>, signal: AbortSignal): Promise<void> {
  const condition = { type: 'Ready', status: 'False', lastTransitionTime: formatTime(context.clock.now()) };
  const key = { namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '' };
  const body = { metadata: { uid: pod.metadata?.uid }, status: { conditions: [condition] } };
  try {
    await context.client.patch(pods, key, { type: 'strategic', subresource: 'status', body }, { signal });
    context.events.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
  } catch (error) {
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
  }
}

/** Pods that are Ready no longer are, by which Services lose them. Pods that are gone by now don't count. Throws the API's errors. */
export async function takeOutOfService(context: Context, all: readonly DeepReadonly<Pod>[], signal: AbortSignal): Promise<void> {
  const inService = all.filter((pod) => podCondition(pod, 'Ready')?.status === 'True');
  for (let i = 0; i < inService.length; i += writesAtOnce)
    await Promise.all(inService.slice(i, i + writesAtOnce).map((pod) => markNotReady(context, pod, signal)));
}
