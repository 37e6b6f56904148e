import type { EndpointSlice, Node, Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

export type ServiceView = DeepReadonly<Service>;
export type NodeView = DeepReadonly<Node>;

export const cleanupFinalizer = 'service.kubernetes.io/load-balancer-cleanup';
/** Set on nodes that must get no traffic of load balancers. */
export const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';
const autoscalerTaint = 'ToBeDeletedByClusterAutoscaler';

/** A Service with a class belongs to whoever implements that class. */
export const wantsLoadBalancer = (s: ServiceView): boolean =>
  s.spec?.type === 'LoadBalancer' && s.spec.loadBalancerClass === undefined && s.metadata?.deletionTimestamp === undefined;

export const hasCleanupFinalizer = (s: ServiceView): boolean => s.metadata?.finalizers?.includes(cleanupFinalizer) === true;

const parseBool = (text: string): boolean | undefined =>
  /^(1|t|T|TRUE|true|True)$/.test(text) ? true : /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;

const isExcluded = (n: NodeView): boolean => {
  const label = n.metadata?.labels?.[excludeLabel];
  return label !== undefined && parseBool(label) !== false;
};

/** Nodes that may receive traffic of load balancers: ready, not excluded, not about to be removed. */
export const servesLoadBalancers = (n: NodeView): boolean =>
  n.metadata?.deletionTimestamp === undefined &&
  !isExcluded(n) &&
  n.spec?.taints?.some((t) => t.key === autoscalerTaint) !== true &&
  n.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

/** The address under which clients reach a node. */
export const addressOfNode = (n: NodeView): string | undefined =>
  n.status?.addresses?.find((a) => a.type === 'InternalIP' && !a.address.includes(':'))?.address;

/** Names of nodes with an endpoint that is ready. */
export const nodesWithEndpoints = (slices: readonly DeepReadonly<EndpointSlice>[]): ReadonlySet<string> =>
  new Set(
    slices.flatMap((s) =>
      (s.endpoints ?? []).flatMap((e) => (e.nodeName !== undefined && e.conditions?.ready !== false ? [e.nodeName] : [])),
    ),
  );

/** Protocol and port, as two Services on one address must not share them. */
export const listeningPorts = (s: ServiceView): readonly string[] => (s.spec?.ports ?? []).map((p) => `${p.port}/${p.protocol ?? 'TCP'}`);

export const nameOf = (s: ServiceView): string => `${s.metadata?.namespace ?? ''}/${s.metadata?.name ?? ''}`;
