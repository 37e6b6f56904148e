import type { ResourceRequirements } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { ContainerResources, ContainerStatus } from '@skiff/cri';
import { computeContainerResources, type LimitFacts } from '../cgroups/resources.ts';
import { annotationNames } from '../container/labels.ts';
import { type ContainerSpec, findContainer, initContainersOf, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { type ObservedPod, runningContainers } from './observed-pod.ts';

/** Runtimes have a least memory limit (Docker's is 6 MiB); below it nothing is there to be changed. */
export const leastMemoryBytes = 6 * 1024 * 1024;

export type ResizeVerdict = { readonly kind: 'none' } | { readonly kind: 'update' | 'restart'; readonly resources: ContainerResources };

const memoryOf = (r: ContainerResources): number => (r.memoryLimitBytes === undefined ? 0 : Math.max(r.memoryLimitBytes, leastMemoryBytes));

/**
 * Whether a running container has other limits than its spec by now, and whether changing them means a restart (resizePolicy). Nothing
 * is restarted unless somebody asked for the change (`resizing`): a kubelet may derive other limits than the one before it.
 */
export function computeResize(
  pod: PodSnapshot,
  c: ContainerSpec,
  status: ContainerStatus,
  o: { readonly node: LimitFacts; readonly resizing: boolean },
): ResizeVerdict {
  const wanted = computeContainerResources(pod, c, o.node);
  const actual = status.resources;
  const cpu = wanted.cpuShares !== actual.cpuShares || (wanted.cpuQuotaMicros ?? 0) !== (actual.cpuQuotaMicros ?? 0);
  const restarts = (resource: string): boolean =>
    (c.resizePolicy ?? []).some((p) => p.resourceName === resource && p.restartPolicy === 'RestartContainer');
  // No limit follows from what is asked for; a program that is to be told of it by a restart is told all the same.
  const asked = status.annotations[annotationNames.memoryRequest];
  const askedOther = asked !== undefined && asked !== (c.resources?.requests?.['memory'] ?? '') && restarts('memory');
  const memory = memoryOf(wanted) !== memoryOf(actual);
  // A runtime that reports nothing has nothing to compare.
  if (Object.keys(actual).length === 0 || (!cpu && !memory && !askedOther)) return { kind: 'none' };
  const { oomScoreAdj: _fixed, ...resources } = wanted;
  const restart = askedOther || (o.resizing && ((cpu && restarts('cpu')) || (memory && restarts('memory'))));
  return { kind: restart ? 'restart' : 'update', resources };
}

/** Whether some running container still has other limits than its spec. */
export const resizesLeft = (pod: PodSnapshot, observed: ObservedPod, node: LimitFacts): boolean =>
  runningContainers(observed).some((status) => {
    const c = findContainer(pod, status.metadata.name)?.spec;
    return c !== undefined && computeResize(pod, c, status, { node, resizing: true }).kind !== 'none';
  });

export type Resources = DeepReadonly<ResourceRequirements>;

/** What the node has granted: container name → its resources, and under '' what the pod has as a whole. */
export type Allocation = ReadonlyMap<string, Resources>;

export const wholePod = '';

export const allocationOf = (pod: PodSnapshot): Map<string, Resources> =>
  new Map([
    ...(pod.spec.resources === undefined ? [] : [[wholePod, pod.spec.resources] as const]),
    ...[...initContainersOf(pod), ...pod.spec.containers].map((c) => [c.name, c.resources ?? {}] as const),
  ]);

/** The pod with what it was granted in the place of what it asks for. */
export function withAllocation(pod: PodSnapshot, allocation: Allocation): PodSnapshot {
  const grant = (c: ContainerSpec): ContainerSpec => {
    const granted = allocation.get(c.name);
    return granted === undefined ? c : { ...c, resources: granted };
  };
  const own = allocation.get(wholePod);
  return {
    ...pod,
    spec: {
      ...pod.spec,
      ...(own === undefined ? {} : { resources: own }),
      containers: pod.spec.containers.map(grant),
      ...(pod.spec.initContainers === undefined ? {} : { initContainers: pod.spec.initContainers.map(grant) }),
    },
  };
}
