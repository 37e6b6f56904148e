import type { Logger } from '@skiff/component-base';
import type { ContainerRuntime } from '@skiff/cri';
import { newestContainer } from '../actions/observed-pod.ts';
import type { PodWorker } from './pod-worker.ts';

/**
 * Removes containers that serve nobody any more but readers of old logs: all of pods that are over, and former ones of pods that go on.
 * For when the node needs the room.
 */
export async function removeDeadContainers(
  workers: readonly Pick<PodWorker, 'pod' | 'state' | 'observed' | 'invalidate'>[],
  deps: { readonly runtime: Pick<ContainerRuntime['runtime'], 'removeContainer'>; readonly log: Logger },
): Promise<number> {
  let removed = 0;
  for (const w of workers) {
    const over = w.state.phase === 'finished';
    for (const c of w.observed.containers) {
      if (c.state !== 'exited' || (!over && newestContainer(w.observed, c.metadata.name)?.id === c.id)) continue;
      try {
        await deps.runtime.removeContainer(c.id);
        removed += 1;
      } catch (error) {
        deps.log.warn({ err: error, container: c.id, pod: w.pod.metadata.name }, 'a dead container could not be removed');
      }
    }
    if (removed > 0 && !over) w.invalidate();
  }
  return removed;
}

/** IDs and names of images that some container still has. */
export const imagesInUse = async (runtime: ContainerRuntime['runtime']): Promise<ReadonlySet<string>> =>
  new Set((await runtime.listContainers()).map((c) => c.image));
