import type { ContainerStatus, PodStatus } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

export interface Termination {
  /** As the label `container_type` of the kubelet's metrics. */
  readonly type: 'init_container' | 'container' | 'ephemeral_container';
  readonly exitCode: number;
  readonly reason: string;
}

/** The containers that have ended in `now` and had not in `previous`. */
export function newTerminations(previous: DeepReadonly<PodStatus>, now: DeepReadonly<PodStatus>): readonly Termination[] {
  const of = (
    type: Termination['type'],
    before: DeepReadonly<ContainerStatus[]> | undefined,
    after: DeepReadonly<ContainerStatus[]> | undefined,
  ): readonly Termination[] => {
    const over = new Set(before?.filter((c) => c.state?.terminated !== undefined).map((c) => c.name));
    return (after ?? []).flatMap(({ name, state }) =>
      state?.terminated === undefined || over.has(name)
        ? []
        : [{ type, exitCode: state.terminated.exitCode ?? 0, reason: state.terminated.reason ?? '' }],
    );
  };
  return [
    ...of('init_container', previous.initContainerStatuses, now.initContainerStatuses),
    ...of('container', previous.containerStatuses, now.containerStatuses),
    ...of('ephemeral_container', previous.ephemeralContainerStatuses, now.ephemeralContainerStatuses),
  ];
}
