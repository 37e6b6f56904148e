import type { Node } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

/** A node of the cluster as other nodes' proxies see it. */
export interface PeerNode {
  readonly name: string;
  readonly ready: boolean;
  /** May receive the traffic of load balancers: not excluded by its label, not about to be removed. */
  readonly servesLoadBalancers: boolean;
  readonly addresses: readonly string[];
}

const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';
const autoscalerTaint = 'ToBeDeletedByClusterAutoscaler';
const falseWords = /^(0|f|F|FALSE|false|False)$/;

export function peerOf(node: DeepReadonly<Node>): PeerNode {
  const excluded = node.metadata?.labels?.[excludeLabel];
  return {
    name: node.metadata?.name ?? '',
    ready: node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true,
    servesLoadBalancers:
      node.metadata?.deletionTimestamp === undefined &&
      (excluded === undefined || falseWords.test(excluded)) &&
      node.spec?.taints?.some((t) => t.key === autoscalerTaint) !== true,
    addresses: (node.status?.addresses ?? []).flatMap((a) => (a.type === 'InternalIP' || a.type === 'ExternalIP' ? [a.address] : [])),
  };
}

/** Nodes that are known not to be ready: their endpoints come last. A node without conditions has just joined. */
export const isLost = (node: DeepReadonly<Node>): boolean =>
  node.status?.conditions?.some((c) => c.type === 'Ready' && c.status !== 'True') === true;

/** What of a node is worth remembering: its status lists images and more, which nobody here needs. */
export function essentialNode(node: DeepReadonly<Node>): DeepReadonly<Node> {
  const { metadata, spec, status } = node;
  return {
    metadata: {
      ...(metadata?.name === undefined ? {} : { name: metadata.name }),
      ...(metadata?.labels === undefined ? {} : { labels: metadata.labels }),
      ...(metadata?.deletionTimestamp === undefined ? {} : { deletionTimestamp: metadata.deletionTimestamp }),
    },
    spec: {
      ...(spec?.podCIDR === undefined ? {} : { podCIDR: spec.podCIDR }),
      ...(spec?.podCIDRs === undefined ? {} : { podCIDRs: spec.podCIDRs }),
      ...(spec?.taints === undefined ? {} : { taints: spec.taints }),
    },
    status: {
      ...(status?.addresses === undefined ? {} : { addresses: status.addresses }),
      conditions: (status?.conditions ?? [])
        .filter((c) => c.type === 'Ready')
        .map((c) => ({ type: c.type, status: c.status, ...(c.reason === undefined ? {} : { reason: c.reason }) })),
    },
  };
}

/** The addresses of all nodes but this one. */
export const peerAddresses = (peers: readonly PeerNode[], nodeName: string): readonly string[] =>
  [...new Set(peers.filter((p) => p.name !== nodeName).flatMap((p) => p.addresses))].filter((a) => !a.includes(':')).sort();
