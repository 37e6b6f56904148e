import { createHash } from 'node:crypto';
import type { ContainerSpec, PodSnapshot } from '../pod/pod-snapshot.ts';

type Strings = Record<string, string>;

/** Only what needs a new container when it changes, as upstream: the name and the image. */
export const hashContainer = (c: ContainerSpec): string =>
  createHash('sha256')
    .update(JSON.stringify([c.name, c.image ?? '']))
    .digest('hex')
    .slice(0, 8);

export const annotationNames = {
  hash: 'io.kubernetes.container.hash',
  restartCount: 'io.kubernetes.container.restartCount',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  terminationMessageFile: 'io.skiff.container.terminationMessageFile',
  memoryRequest: 'io.skiff.container.memoryRequest',
  graceSeconds: 'io.kubernetes.pod.terminationGracePeriod',
  preStop: 'io.kubernetes.container.preStopHandler',
  ips: 'io.skiff.pod.ips',
  hostPorts: 'io.skiff.pod.hostPorts',
  /** Of static pods: file or http. */
  source: 'io.skiff.pod.source',
} as const;

/** Labels that a container gets beside those of its pod: what a kubelet that has lost the pod needs to end it well. */
export const renderContainerLabels = (pod: PodSnapshot, c: ContainerSpec): Strings => ({
  'io.kubernetes.pod.name': pod.metadata.name,
  'io.kubernetes.pod.namespace': pod.metadata.namespace,
  'io.kubernetes.pod.uid': pod.metadata.uid,
  'io.kubernetes.container.name': c.name,
});

export const renderContainerAnnotations = (
  pod: PodSnapshot,
  c: ContainerSpec,
  o: { restartCount: number; terminationMessageFile: string | undefined },
): Strings => ({
  [annotationNames.hash]: hashContainer(c),
  [annotationNames.restartCount]: String(o.restartCount),
  [annotationNames.terminationMessagePath]: c.terminationMessagePath ?? '/dev/termination-log',
  [annotationNames.terminationMessagePolicy]: c.terminationMessagePolicy ?? 'File',
  ...(o.terminationMessageFile === undefined ? {} : { [annotationNames.terminationMessageFile]: o.terminationMessageFile }),
  ...(pod.spec.terminationGracePeriodSeconds === undefined
    ? {}
    : { [annotationNames.graceSeconds]: String(pod.spec.terminationGracePeriodSeconds) }),
  [annotationNames.memoryRequest]: c.resources?.requests?.['memory'] ?? '',
  ...(c.lifecycle?.preStop === undefined ? {} : { [annotationNames.preStop]: JSON.stringify(c.lifecycle.preStop) }),
});
