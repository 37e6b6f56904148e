import type { InformerFactory } from '@skiff/client';
import type { PodInfo } from './framework/pod-info.ts';
import { serviceResource } from './resource-refs.ts';

const spreadKinds = new Set(['ReplicaSet', 'ReplicationController', 'StatefulSet']);

/**
 * Which pods belong together with one and should not all be on one node: those of the same ReplicaSet, ReplicationController or
 * StatefulSet; for a pod without such an owner, those of the same Services. Upstream compares the owners' selectors, which for pods
 * that the owners made comes to the same.
 */
export function createSiblings(factory: InformerFactory): (pod: PodInfo) => ((other: PodInfo) => boolean) | undefined {
  const services = factory.informer(serviceResource);
  return (pod) => {
    const owner = controllerOf(pod);
    if (owner !== undefined && spreadKinds.has(owner.kind)) return (other) => controllerOf(other)?.uid === owner.uid;
    const selectors = services.list(pod.namespace).flatMap((service) => {
      const pairs = Object.entries(service.spec?.selector ?? {});
      return pairs.length > 0 && pairs.every(([key, value]) => pod.labels[key] === value) ? [pairs] : [];
    });
    if (selectors.length === 0) return undefined;
    const wanted = selectors.flat();
    return (other) => other.namespace === pod.namespace && wanted.every(([key, value]) => other.labels[key] === value);
  };
}

const controllerOf = (pod: PodInfo): { readonly kind: string; readonly uid: string } | undefined =>
  pod.pod.metadata?.ownerReferences?.find((owner) => owner.controller === true);
