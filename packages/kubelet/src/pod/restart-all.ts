import type { ContainerStatus } from '@skiff/cri';
import type { ObservedPod } from '../actions/observed-pod.ts';
import { endsAll } from '../actions/restart-policy.ts';
import { Deadline } from '../container/deadline.ts';
import { killOne } from './kill-pod.ts';
import type { PodContext } from './pod-context.ts';
import { type ContainerSpec, initContainersOf, type PodSnapshot } from './pod-snapshot.ts';

/**
 * Ends all containers of a pod at once and removes them, so that it starts over in the same sandbox with the same volumes
 * (KEP-5532). Those that asked for it go last: whatever comes in between, the next look at the pod finds them and goes on.
 */
export async function removeAllContainers(pod: PodSnapshot, observed: ObservedPod, context: PodContext): Promise<void> {
  const found = (specs: readonly ContainerSpec[]): { readonly status: ContainerStatus; readonly asked: boolean }[] =>
    specs.flatMap((c) =>
      observed.containers
        .filter((status) => status.metadata.name === c.name)
        .map((status) => ({ status, asked: status.state === 'exited' && endsAll(c, status.exitCode) })),
    );
  const all = [...found(pod.spec.containers), ...found(initContainersOf(pod))];
  for (const { status } of [...all.filter((c) => !c.asked), ...all.filter((c) => c.asked)]) {
    if (status.state !== 'exited') {
      const message = `Container ${status.metadata.name} is ended because all containers of the pod start over`;
      await killOne(pod, { status, observed, message, deadline: new Deadline(context.clock, 0) }, context);
    }
    await context.runtime.removeContainer(status.id);
  }
}
