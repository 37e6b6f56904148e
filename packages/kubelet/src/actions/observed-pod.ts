import type { ContainerStatus, PodSandbox } from '@skiff/cri';

/** What the runtime has of one pod. Both lists are newest first. */
export interface ObservedPod {
  readonly sandboxes: readonly PodSandbox[];
  readonly containers: readonly ContainerStatus[];
  /** Addresses of the newest sandbox, primary first. */
  readonly ips: readonly string[];
}

export const nothingObserved: ObservedPod = { sandboxes: [], containers: [], ips: [] };

/** The newest container of that name. */
export const newestContainer = (observed: ObservedPod, name: string): ContainerStatus | undefined =>
  observed.containers.find((c) => c.metadata.name === name);

export const isRunning = (c: ContainerStatus): boolean => c.state === 'running';
export const runningContainers = (observed: ObservedPod): readonly ContainerStatus[] => observed.containers.filter(isRunning);

export function sortObserved(
  sandboxes: readonly PodSandbox[],
  containers: readonly ContainerStatus[],
): Pick<ObservedPod, 'sandboxes' | 'containers'> {
  return {
    sandboxes: [...sandboxes].sort((a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAtMs - a.createdAtMs),
    // The clock of the host may have been put back, even across a boot: attempts only ever count up.
    containers: [...containers].sort((a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAtMs - a.createdAtMs),
  };
}
