import type { ContainerMetadata, PodSandboxConfig, PodSandboxMetadata } from '@skiff/cri';

/** Labels on what this package creates. The `io.kubernetes.*` ones are those that log and metrics agents know from other runtimes. */
export const labelNames = {
  instance: 'io.skiff.instance',
  type: 'io.kubernetes.docker.type',
  sandboxId: 'io.kubernetes.sandbox.id',
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
  attempt: 'io.skiff.attempt',
  image: 'io.skiff.image',
  runtimeHandler: 'io.skiff.runtime-handler',
} as const;

const annotationPrefix = 'annotation.';
const own: ReadonlySet<string> = new Set(Object.values(labelNames));

export type ObjectType = 'podsandbox' | 'container';
type Labels = Readonly<Record<string, string>>;

export function renderSandboxLabels(
  instance: string,
  { metadata, labels, annotations, runtimeHandler }: PodSandboxConfig,
): Record<string, string> {
  return {
    ...clientLabels(labels),
    ...prefixed(annotations),
    [labelNames.runtimeHandler]: runtimeHandler,
    [labelNames.instance]: instance,
    [labelNames.type]: 'podsandbox' satisfies ObjectType,
    [labelNames.podName]: metadata.name,
    [labelNames.podNamespace]: metadata.namespace,
    [labelNames.podUid]: metadata.uid,
    [labelNames.attempt]: String(metadata.attempt),
  };
}

export function renderContainerLabels(o: {
  instance: string;
  pod: PodSandboxMetadata;
  sandboxId: string;
  metadata: ContainerMetadata;
  image: string;
  labels: Labels;
  annotations: Labels;
}): Record<string, string> {
  return {
    ...clientLabels(o.labels),
    ...prefixed(o.annotations),
    [labelNames.instance]: o.instance,
    [labelNames.type]: 'container' satisfies ObjectType,
    [labelNames.sandboxId]: o.sandboxId,
    [labelNames.podName]: o.pod.name,
    [labelNames.podNamespace]: o.pod.namespace,
    [labelNames.podUid]: o.pod.uid,
    [labelNames.containerName]: o.metadata.name,
    [labelNames.attempt]: String(o.metadata.attempt),
    [labelNames.image]: o.image,
  };
}

/** Pods choose their labels: none of them may be taken for an annotation or for what this package notes itself. */
const clientLabels = (labels: Labels): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).filter(([k]) => !k.startsWith(annotationPrefix) && !own.has(k)));
const prefixed = (annotations: Labels): Record<string, string> =>
  Object.fromEntries(Object.entries(annotations).map(([k, v]) => [`${annotationPrefix}${k}`, v]));

/** Takes apart what the render functions put together; labels of the runtime itself are left out. */
export function splitLabels(all: Labels): { labels: Record<string, string>; annotations: Record<string, string> } {
  const labels: Record<string, string> = {};
  const annotations: Record<string, string> = {};
  for (const [key, value] of Object.entries(all)) {
    if (key.startsWith(annotationPrefix)) annotations[key.slice(annotationPrefix.length)] = value;
    else if (!own.has(key) || key.startsWith('io.kubernetes.pod.') || key === labelNames.containerName) labels[key] = value;
  }
  return { labels, annotations };
}

export const parseSandboxMetadata = (labels: Labels): PodSandboxMetadata => ({
  name: labels[labelNames.podName] ?? '',
  namespace: labels[labelNames.podNamespace] ?? '',
  uid: labels[labelNames.podUid] ?? '',
  attempt: Number(labels[labelNames.attempt] ?? '0'),
});

export const parseContainerMetadata = (labels: Labels): ContainerMetadata => ({
  name: labels[labelNames.containerName] ?? '',
  attempt: Number(labels[labelNames.attempt] ?? '0'),
});

/** Docker's names for them, the same as cri-dockerd's. */
export const sandboxName = (m: PodSandboxMetadata): string => `k8s_POD_${m.name}_${m.namespace}_${m.uid}_${m.attempt}`;
export const containerName = (pod: PodSandboxMetadata, m: ContainerMetadata): string =>
  `k8s_${m.name}_${pod.name}_${pod.namespace}_${pod.uid}_${m.attempt}`;
