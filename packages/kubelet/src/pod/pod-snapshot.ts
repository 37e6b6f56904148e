import type { Container, EphemeralContainer, Pod, PodSpec, PodStatus } from '@skiff/api';
import type { DeepReadonly, ObjectMeta } from '@skiff/apimachinery';

export type ContainerSpec = DeepReadonly<Container>;
export type EphemeralContainerSpec = DeepReadonly<EphemeralContainer>;

/** A pod as the API gave it, with the parts that every pod on a node has. */
export interface PodSnapshot {
  readonly kind: 'Pod';
  readonly apiVersion: 'v1';
  readonly metadata: DeepReadonly<ObjectMeta> & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: DeepReadonly<PodSpec>;
  readonly status: DeepReadonly<PodStatus>;
}

/** undefined when the object lacks what a pod on a node must have. */
export function snapshotPod(pod: DeepReadonly<Pod>): PodSnapshot | undefined {
  const { metadata, spec } = pod;
  if (metadata?.name === undefined || metadata.namespace === undefined || metadata.uid === undefined || spec === undefined)
    return undefined;
  const { name, namespace, uid } = metadata;
  return { kind: 'Pod', apiVersion: 'v1', metadata: { ...metadata, name, namespace, uid }, spec, status: pod.status ?? {} };
}

/** As upstream prints pods in messages: `name_namespace(uid)`. */
export const formatPod = (pod: PodSnapshot): string => `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;

export const isSidecar = (c: ContainerSpec): boolean => c.restartPolicy === 'Always';
export const isHostNetwork = (pod: PodSnapshot): boolean => pod.spec.hostNetwork === true;
export const initContainersOf = (pod: PodSnapshot): readonly ContainerSpec[] => pod.spec.initContainers ?? [];
export const ephemeralContainersOf = (pod: PodSnapshot): readonly EphemeralContainerSpec[] => pod.spec.ephemeralContainers ?? [];

export type ContainerType = 'init' | 'app' | 'ephemeral';
export interface TypedContainer {
  readonly type: ContainerType;
  readonly spec: ContainerSpec | EphemeralContainerSpec;
}

export function findContainer(pod: PodSnapshot, name: string): TypedContainer | undefined {
  for (const [type, list] of [
    ['app', pod.spec.containers],
    ['init', initContainersOf(pod)],
    ['ephemeral', ephemeralContainersOf(pod)],
  ] as const) {
    const spec = list.find((c) => c.name === name);
    if (spec !== undefined) return { type, spec };
  }
  return undefined;
}

/** The path by which events refer to a container: `spec.containers{name}`. */
export function containerFieldPath(pod: PodSnapshot, name: string): string {
  const found = findContainer(pod, name);
  const list = found?.type === 'init' ? 'initContainers' : found?.type === 'ephemeral' ? 'ephemeralContainers' : 'containers';
  return `spec.${list}{${name}}`;
}

export const isTerminalPhase = (phase: string | undefined): phase is 'Succeeded' | 'Failed' => phase === 'Succeeded' || phase === 'Failed';

/**
 * Static pods come from files, and can't be deleted through the API. Anybody may write the annotation of their source into a pod of the
 * API, but that one has a resourceVersion too.
 */
export const isStaticPod = ({ metadata }: PodSnapshot): boolean => {
  const source = metadata.annotations?.['kubernetes.io/config.source'];
  return source !== undefined && source !== 'api' && metadata.resourceVersion === undefined;
};

const systemCriticalPriority = 2_000_000_000;

/** What a node can't do without: it is not evicted, and taken in even by a node that is short of something. */
export const isCriticalPod = (pod: PodSnapshot): boolean => isStaticPod(pod) || (pod.spec.priority ?? 0) >= systemCriticalPriority;
