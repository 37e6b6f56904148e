import type { Jump } from '@skiff/component-base';
import { networkAddress } from '../table/ip.ts';
import { hostMac, peerLink, servicesMac, type HostNames } from './names.ts';

export interface HostConfig {
  readonly names: HostNames;
  /** The Service ranges, the first one's network address being the source of connections that have no better one. */
  readonly serviceCidrs: readonly string[];
  readonly clusterCidr: string;
  readonly shadowCidr: string;
  /** What pods see as the source of connections that come from no pod; undefined: whatever the host's routing chooses. */
  readonly nodeAddress: string | undefined;
  /** External and load balancer addresses that this host answers for. */
  readonly extraAddresses: readonly string[];
  /** Addresses of the other nodes, which may ask at `livenessPort` whether this one lives. */
  readonly peerAddresses: readonly string[];
  readonly livenessPort: number;
  /** undefined: not known yet; what an earlier run wrote stays. */
  readonly rules: NatRules | undefined;
}

/** The static part that user space can't do: the client's address is kept (externalTrafficPolicy Local) or the protocol is unknown to it (SCTP). */
export interface NatRules {
  /** Rule bodies, in order, for what comes in from other hosts and from pods; without chain names. */
  readonly prerouting: readonly string[];
  /** The same for what this host itself sends. */
  readonly output: readonly string[];
  /** Refusals of new connections that no local endpoint takes, or that come from outside of a load balancer's source ranges. */
  readonly refusals: readonly string[];
  /** Where the kernel leads datagrams. It goes on leading those of one client to one endpoint when the rule is gone. */
  readonly udpTargets: readonly UdpTarget[];
}

export interface UdpTarget {
  /** undefined: any of the host. */
  readonly address: string | undefined;
  readonly port: number;
  readonly endpoint: string;
}

const noRules: NatRules = { prerouting: [], output: [], refusals: [], udpTargets: [] };

/** Lines for `ip -batch` in the host's namespace; each may be repeated. */
export function renderHostRoutes(config: HostConfig): readonly string[] {
  const { link, hostAddress, servicesAddress } = config.names;
  const targets = [...config.serviceCidrs, config.shadowCidr, ...config.extraAddresses.map((a) => `${a}/32`)];
  return [
    `link set dev ${link} up`,
    `address replace ${hostAddress}/32 dev ${link}`,
    `neighbour replace ${servicesAddress} lladdr ${servicesMac} dev ${link} nud permanent`,
    ...targets.map((target) => `route replace ${target} via ${servicesAddress} dev ${link} onlink`),
  ];
}

/** Lines for `ip -batch` inside the services namespace. */
export function renderServicesRoutes(config: HostConfig): readonly string[] {
  const { hostAddress } = config.names;
  const source = networkAddress(config.serviceCidrs[0] ?? '');
  const local = [...config.serviceCidrs, config.shadowCidr, ...config.extraAddresses.map((a) => `${a}/32`)];
  return [
    'link set dev lo up',
    `link set dev ${peerLink} up`,
    ...local.map((target) => `route replace local ${target} dev lo`),
    `neighbour replace ${hostAddress} lladdr ${hostMac} dev ${peerLink} nud permanent`,
    `route replace default via ${hostAddress} dev ${peerLink} onlink src ${source}`,
  ];
}

/** Files below /proc/sys in the services namespace: new connections need ports, TIME_WAIT must not hold them. */
export const servicesSysctls: Readonly<Record<string, string>> = {
  'net/ipv4/tcp_tw_reuse': '1',
  'net/ipv4/ip_local_port_range': '1024 65535',
  'net/core/somaxconn': '4096',
  'net/ipv4/conf/all/rp_filter': '0',
  'net/ipv4/conf/default/rp_filter': '0',
};

export type Table = 'raw' | 'mangle' | 'filter' | 'nat';

export interface IptablesPlan {
  /** Chain → rule bodies, for each table. All are ours. */
  readonly chains: Readonly<Record<Table, Readonly<Record<string, readonly string[]>>>>;
  readonly jumps: readonly Jump[];
}

/** The kubelets' tunnels to other nodes. */
const tunnelLinkPrefix = 'skv-';

/** `forwardFrom` is DOCKER-USER where Docker keeps that chain, since it survives Docker's restarts, and FORWARD elsewhere. */
export function renderIptables(config: HostConfig, forwardFrom: string): IptablesPlan {
  const { link, chains } = config.names;
  const { clusterCidr, shadowCidr, rules = noRules } = config;
  const source = networkAddress(config.serviceCidrs[0] ?? '');
  // Clients' packets to and from Services need no tracking, since nothing is translated on that leg: it would take a second entry
  // for each connection, and others' masquerading, which needs one, would hide the client. SCTP is translated.
  const untracked = config.serviceCidrs.flatMap((cidr) => ['tcp', 'udp'].map((protocol) => ({ cidr, protocol })));
  return {
    chains: {
      raw: {
        [chains.rawPrerouting]: [
          `-s ${source}/32 -j RETURN`,
          ...untracked.map((u) => `-i ${link} -s ${u.cidr} -p ${u.protocol} -j CT --notrack`),
          ...untracked.map((u) => `-d ${u.cidr} ! -i ${link} -p ${u.protocol} -j CT --notrack`),
        ],
        [chains.rawOutput]: untracked.map((u) => `-d ${u.cidr} -o ${link} -p ${u.protocol} -j CT --notrack`),
      },
      // Refused before any chain of the filter table, where others may accept first.
      mangle: { [chains.manglePrerouting]: rules.refusals },
      filter: {
        [chains.forward]: [
          `-i ${link} -j ACCEPT`,
          `-o ${link} -j ACCEPT`,
          `-d ${clusterCidr} -m conntrack --ctstate DNAT -j ACCEPT`,
          `-s ${clusterCidr} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
        ],
        [chains.input]: [
          `-i ${link} -j ACCEPT`,
          ...config.peerAddresses.map((a) => `-s ${a}/32 -p tcp --dport ${config.livenessPort} -j ACCEPT`),
          // While one of these is the host's own for a moment (see tellSegment), it must not answer with resets.
          ...config.extraAddresses.map((a) => `-d ${a}/32 -j DROP`),
        ],
      },
      nat: {
        [chains.postrouting]: [
          // What goes to a Service keeps its source: masquerading by others would hide the client pod.
          `-o ${link} -j ACCEPT`,
          `-s ${shadowCidr} -d ${clusterCidr} -j NETMAP --to ${clusterCidr}`,
          // Through the tunnel to a node behind a router, answers come back only to the tunnel's own address.
          `-s ${source}/32 -d ${clusterCidr} -o ${tunnelLinkPrefix}+ -j MASQUERADE`,
          ...(config.nodeAddress === undefined ? [] : [`-s ${source}/32 -d ${clusterCidr} -j SNAT --to-source ${config.nodeAddress}`]),
          ...[...config.serviceCidrs, shadowCidr].map((cidr) => `-s ${cidr} ! -o ${link} -j MASQUERADE`),
        ],
        [chains.prerouting]: rules.prerouting,
        [chains.output]: rules.output,
      },
    },
    jumps: [
      { table: 'raw', from: 'PREROUTING', to: chains.rawPrerouting },
      { table: 'raw', from: 'OUTPUT', to: chains.rawOutput },
      { table: 'mangle', from: 'PREROUTING', to: chains.manglePrerouting },
      { table: 'filter', from: forwardFrom, to: chains.forward },
      { table: 'filter', from: 'INPUT', to: chains.input },
      { table: 'nat', from: 'POSTROUTING', to: chains.postrouting },
      { table: 'nat', from: 'PREROUTING', to: chains.prerouting },
      { table: 'nat', from: 'OUTPUT', to: chains.output },
    ],
  };
}
