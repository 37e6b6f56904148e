import type { Container, LifecycleHandler } from '@skiff/api';
import type { ContainerStatus, PodSandbox } from '@skiff/cri';
import { annotationNames } from '../container/labels.ts';
import { type PodSnapshot, snapshotPod } from './pod-snapshot.ts';

/** Rebuilds as much of a pod as is needed to end it well, from what its containers were labelled with. */
export function restorePod(uid: string, sandboxes: readonly PodSandbox[], containers: readonly ContainerStatus[]): PodSnapshot {
  const metadata = sandboxes[0]?.metadata;
  const labels = containers[0]?.labels ?? {};
  const grace = containers.map((c) => c.annotations[annotationNames.graceSeconds]).find((g) => g !== undefined);
  const byName = new Map<string, Container>();
  for (const c of containers) {
    const preStop = c.annotations[annotationNames.preStop];
    byName.set(c.metadata.name, {
      name: c.metadata.name,
      ...(preStop === undefined ? {} : { lifecycle: { preStop: JSON.parse(preStop) as LifecycleHandler } }),
    });
  }
  const restored = snapshotPod({
    metadata: {
      name: metadata?.name ?? labels['io.kubernetes.pod.name'] ?? uid,
      namespace: metadata?.namespace ?? labels['io.kubernetes.pod.namespace'] ?? 'default',
      uid,
    },
    spec: { containers: [...byName.values()], ...(grace === undefined ? {} : { terminationGracePeriodSeconds: Number(grace) }) },
  });
  if (restored === undefined) throw new Error(`pod ${uid} can't be restored`);
  return restored;
}
