import type { Path } from './choose-path.ts';
import { directAddress, type Peer, tunnelAddress, tunnelMac } from './peer.ts';

/** Marks our routes in the host's table (a number of our own in the range for routing daemons). */
export const routeProtocol = '83';

export interface PlacedPeer extends Peer {
  readonly path: Path;
  /** The interface that reaches its address without a router; undefined: none does. */
  readonly onLinkDevice: string | undefined;
}

export interface NodesPlan {
  /** Destination → what stands behind it in `ip route replace`. */
  readonly routes: ReadonlyMap<string, string>;
  /** Lines for `ip -batch`: who is behind which tunnel address. */
  readonly neighbours: readonly string[];
  /** Lines for `bridge -batch`: on which host. */
  readonly forwarding: readonly string[];
}

/** All that the host needs in order to reach the pods of other nodes. `podCidr`: this node's own. */
export function renderNodes(
  self: { readonly podCidr: string; readonly nodeAddress: string; readonly vxlanLink: string },
  peers: readonly PlacedPeer[],
): NodesPlan {
  const routes = new Map<string, string>();
  const neighbours: string[] = [];
  const forwarding: string[] = [];
  const ownTunnel = tunnelAddress(self.podCidr);
  for (const peer of peers) {
    const [first = ''] = peer.podCidrs;
    const tunnel = tunnelAddress(first);
    const mac = tunnelMac(first);
    // The host itself speaks from its tunnel address, so that answers come back through the tunnel.
    const wrapped = `via ${tunnel} dev ${self.vxlanLink} onlink src ${ownTunnel}`;
    const handed = `via ${peer.address} dev ${peer.onLinkDevice ?? ''}`;
    for (const cidr of peer.podCidrs) routes.set(cidr, peer.path === 'direct' ? `${handed} src ${self.nodeAddress}` : wrapped);
    routes.set(`${tunnel}/32`, `dev ${self.vxlanLink} scope link src ${ownTunnel}`);
    if (peer.onLinkDevice !== undefined) routes.set(`${directAddress(first)}/32`, `${handed} src ${directAddress(self.podCidr)}`);
    neighbours.push(`neighbour replace ${tunnel} lladdr ${mac} dev ${self.vxlanLink} nud permanent`);
    forwarding.push(`fdb replace ${mac} dev ${self.vxlanLink} dst ${peer.address} self permanent`);
  }
  return { routes, neighbours, forwarding };
}
