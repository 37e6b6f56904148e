import type { Jump } from '@skiff/component-base';
import { type PodHostPorts, renderHostPorts } from './host-port.ts';
import { type NetworkNames, serviceLinkPrefix } from './names.ts';
import { directAddress, type Peer, tunnelAddress } from './nodes/peer.ts';
import { probePort } from './nodes/probe.ts';

/** What the rules depend on. Ranges and addresses are IPv4. */
export interface FirewallRules {
  /** This node's. */
  readonly podCidrs: readonly string[];
  /** Destinations that see pods' own addresses: the cluster's ranges. */
  readonly nonMasqueradeCidrs: readonly string[];
  readonly peers: readonly Peer[];
  readonly vxlanPort: number;
  readonly hostPorts: readonly PodHostPorts[];
  /** Source of what the host itself sends to pods. */
  readonly hostSource: string;
}

type Table = 'filter' | 'nat';

export interface FirewallPlan {
  /** Chain → rules, for each table; all are ours. */
  readonly chains: Readonly<Record<Table, Readonly<Record<string, readonly string[]>>>>;
  readonly jumps: readonly Jump[];
}

/**
 * All that the kubelet wants of the host's packet filter: accept what pods send and get (hosts often drop by default), accept the
 * other nodes, and hide pods' addresses from the world outside of the cluster. What goes to another host's own address leaves with
 * this host's: routers between them know no pods.
 */
export function renderFirewall({ chains, linkPrefix, vxlanLink }: NetworkNames, rules: FirewallRules): FirewallPlan {
  const pods = `${linkPrefix}+`;
  const hostPorts = renderHostPorts(rules.hostPorts, pods, rules.hostSource);
  return {
    chains: {
      filter: {
        [chains.forward]: [
          // What pods may reach in Docker's own networks is Docker's to say, as for everyone else.
          `-i ${pods} -o docker0 -j RETURN`,
          `-i ${pods} -o br-+ -j RETURN`,
          `-i ${pods} -j ACCEPT`,
          `-o ${pods} -j ACCEPT`,
        ],
        [chains.input]: [
          ...rules.podCidrs.flatMap((cidr) =>
            [tunnelAddress(cidr), directAddress(cidr)].map(
              (a) => `-d ${a}/32 -p tcp --dport ${probePort} -j REJECT --reject-with tcp-reset`,
            ),
          ),
          '-i lo -j ACCEPT',
          // Links of pods with host ports are open for answers to the host's loopback addresses, and for nothing else.
          `-i ${pods} -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP`,
          `-i ${pods} -j ACCEPT`,
          `-i ${vxlanLink} -j ACCEPT`,
          // What comes from the others, and their pods' answers to this host's own programs.
          ...rules.peers.flatMap((p) => [`${p.address}/32`, ...p.podCidrs].map((source) => `-s ${source} -j ACCEPT`)),
          // Nobody else puts packets into the cluster.
          ...(rules.peers.length === 0 ? [] : [`-p udp --dport ${rules.vxlanPort} -j DROP`]),
        ],
      },
      nat: {
        [chains.prerouting]: hostPorts.prerouting,
        [chains.output]: hostPorts.output,
        [chains.postrouting]: [
          ...hostPorts.postrouting,
          `-o ${pods} -j RETURN`,
          `-o ${serviceLinkPrefix}+ -j RETURN`,
          ...rules.podCidrs.flatMap((own) =>
            [...new Set([...rules.podCidrs, ...rules.nonMasqueradeCidrs])].map((cidr) => `-s ${own} -d ${cidr} -j RETURN`),
          ),
          ...rules.podCidrs.map((own) => `-s ${own} -j MASQUERADE --random-fully`),
        ],
      },
    },
    jumps: [
      { table: 'filter', from: 'FORWARD', to: chains.forward },
      { table: 'filter', from: 'INPUT', to: chains.input },
      { table: 'nat', from: 'POSTROUTING', to: chains.postrouting },
      { table: 'nat', from: 'PREROUTING', to: chains.prerouting },
      { table: 'nat', from: 'OUTPUT', to: chains.output },
    ],
  };
}
