import type { Node } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { RequestedIdentity } from './certificate-request.ts';

type NodeView = DeepReadonly<Node>;

const nodePrefix = 'system:node:';
/** The node that a kubelet's certificate is for. */
export const nodeNameOf = (identity: RequestedIdentity): string => identity.commonName.slice(nodePrefix.length);

export const addressesOf = (node: NodeView): readonly string[] => (node.status?.addresses ?? []).map((a) => a.address);

/**
 * Whether a serving certificate names what its Node is known by and nothing that any other is known by: a node writes its addresses
 * itself, and must not get a certificate for an apiserver's host by claiming its address. Its only name is its own.
 */
export function isOwnServing(identity: RequestedIdentity, nodes: readonly NodeView[]): boolean {
  const name = nodeNameOf(identity);
  const own = nodes.find((node) => node.metadata?.name === name);
  if (own === undefined) return false;
  const others = new Set(nodes.filter((node) => node !== own).flatMap(addressesOf));
  const addresses = new Set(addressesOf(own));
  return (
    identity.dnsNames.every((dns) => dns === name && addresses.has(dns)) &&
    identity.ipAddresses.every((ip) => addresses.has(ip) && !others.has(ip))
  );
}

/** Whether a node of this name lives: who is not that node itself must not become it. */
export const isLiveNode = (name: string, nodes: readonly NodeView[]): boolean =>
  nodes.some((node) => node.metadata?.name === name && node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'));
