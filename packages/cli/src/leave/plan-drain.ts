/** What is looked at of a pod to decide how it leaves its node. */
export interface DrainedPod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly controller?: boolean }[];
  };
  readonly status?: { readonly phase?: string };
}

export interface DrainPlan {
  /** They go by the eviction API, which honours PodDisruptionBudgets. */
  readonly evict: readonly DrainedPod[];
  /** Nothing makes them anew elsewhere: with the node they are gone for good. */
  readonly unmanaged: readonly DrainedPod[];
}

const mirrorAnnotation = 'kubernetes.io/config.mirror';
export const nameOf = (pod: DrainedPod): string => `${pod.metadata.namespace}/${pod.metadata.name}`;

/** As `kubectl drain --ignore-daemonsets`: pods of DaemonSets would come back at once, and mirror pods can't be evicted. */
export function planDrain(pods: readonly DrainedPod[]): DrainPlan {
  const evict = pods.filter((pod) => {
    if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined) return false;
    return !(pod.metadata.ownerReferences ?? []).some((owner) => owner.controller === true && owner.kind === 'DaemonSet');
  });
  const hasEnded = (pod: DrainedPod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
  const isManaged = (pod: DrainedPod): boolean => (pod.metadata.ownerReferences ?? []).some((owner) => owner.controller === true);
  return { evict, unmanaged: evict.filter((pod) => !isManaged(pod) && !hasEnded(pod)) };
}
