import type { DeepReadonly } from '@skiff/apimachinery';
import type { Service, ServiceSpec } from '../../../generated/types/core-v1.ts';

export type Spec = DeepReadonly<ServiceSpec>;
export const specOf = (service: DeepReadonly<Service>): Spec => service.spec ?? {};

/** Reached from outside the cluster: by node ports, a load balancer or an external address. */
export const isExternallyAccessible = (spec: Spec): boolean =>
  spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0);

export const needsClusterIP = (spec: Spec): boolean => spec.type !== 'ExternalName';
export const needsNodePort = (spec: Spec): boolean => spec.type === 'NodePort' || spec.type === 'LoadBalancer';
export const needsHealthCheckNodePort = (spec: Spec): boolean => spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
export const isLoadBalancer = (spec: Spec): boolean => spec.type === 'LoadBalancer';
export const isHeadless = (spec: Spec): boolean => spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None';
