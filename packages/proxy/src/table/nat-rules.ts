import { isIP } from 'node:net';
import type { ServicePort } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { UdpTarget } from '../host/plan.ts';
import type { Endpoint, Protocol } from './types.ts';

/** Only the first packet of a connection is refused: those of an open one still carry the address that the client asked for. */
const drop = '-m conntrack --ctstate NEW -j DROP';

/** As iptables takes it; nothing for what isn't an IPv4 range. */
function ipv4Cidr(cidr: string): readonly string[] {
  const [address = '', bits = ''] = cidr.trim().split('/');
  return isIP(address) === 4 && /^\d+$/.test(bits) && Number(bits) <= 32 ? [`${address}/${Number(bits)}`] : [];
}

/** Random choice among endpoints by the kernel: the nth of m rules takes 1/(m-n) of what reaches it. */
function dnatTo(match: string, endpoints: readonly Endpoint[]): readonly string[] {
  return endpoints.map((e, i) => {
    const left = endpoints.length - i;
    const chance = left === 1 ? '' : ` -m statistic --mode random --probability ${(1 / left).toFixed(10)}`;
    return `${match}${chance} -j DNAT --to-destination ${e.address}:${e.port}`;
  });
}

/** An address outside the cluster's own ranges at which a Service answers. */
export interface OutsideAddress {
  readonly address: string;
  /** CIDRs that may connect (spec.loadBalancerSourceRanges); undefined: everybody. Those of IPv6 let nobody in here. */
  readonly sourceRanges: readonly string[] | undefined;
}

/**
 * `externalTrafficPolicy: Local` for one port: what comes from outside goes straight to an endpoint on this node and keeps its
 * source address; without one, and from outside of the source ranges, it is dropped. This node's pods and the host itself use the
 * listeners, which choose from all endpoints and know the ranges.
 */
export function renderLocalPort(o: {
  protocol: Protocol;
  nodePort: number;
  /** undefined: all of the host. */
  nodePortAddresses: readonly string[] | undefined;
  port: number;
  outside: readonly OutsideAddress[];
  endpoints: readonly Endpoint[];
  /** Addresses of this node's pods. Those of other nodes' pods are outside. */
  localPodCidr: string;
}): { prerouting: readonly string[]; refusals: readonly string[]; udpTargets: readonly UdpTarget[] } {
  const protocol = o.protocol.toLowerCase();
  const fromOutside = `! -s ${o.localPodCidr} -m addrtype ! --src-type LOCAL`;
  const nodePorts =
    o.nodePort === 0
      ? []
      : o.nodePortAddresses === undefined
        ? [`${fromOutside} --dst-type LOCAL -p ${protocol} --dport ${o.nodePort}`]
        : o.nodePortAddresses.map((address) => `-d ${address}/32 ${fromOutside} -p ${protocol} --dport ${o.nodePort}`);
  const outside = o.outside.map(({ address, sourceRanges }) => ({
    match: `-d ${address}/32 ${fromOutside} -p ${protocol} --dport ${o.port}`,
    // They return from the chain of refusals, which has nothing else to say of this address and port.
    allowed: sourceRanges?.flatMap(ipv4Cidr).map((range) => `-s ${range} -d ${address}/32 -p ${protocol} --dport ${o.port} -j RETURN`),
  }));
  const matches = [...nodePorts, ...outside.map(({ match }) => match)];
  const places = [
    ...(o.nodePort === 0 ? [] : (o.nodePortAddresses ?? [undefined]).map((address) => ({ address, port: o.nodePort }))),
    ...o.outside.map(({ address }) => ({ address, port: o.port })),
  ];
  return {
    udpTargets: o.protocol === 'UDP' ? places.flatMap((p) => o.endpoints.map((e) => ({ ...p, endpoint: e.address }))) : [],
    prerouting: matches.flatMap((match) => dnatTo(match, o.endpoints)),
    refusals:
      o.endpoints.length === 0
        ? matches.map((match) => `${match} ${drop}`)
        : outside.flatMap(({ match, allowed }) => (allowed === undefined ? [] : [...allowed, `${match} ${drop}`])),
  };
}

/** SCTP, which Node.js doesn't speak: the kernel translates ClusterIP and node port. */
export function renderSctp(
  clusterIP: string,
  port: DeepReadonly<ServicePort>,
  endpoints: readonly Endpoint[],
): { prerouting: readonly string[]; output: readonly string[] } {
  const nodePort = port.nodePort ?? 0;
  const rules = [
    ...dnatTo(`-d ${clusterIP}/32 -p sctp --dport ${port.port}`, endpoints),
    ...(nodePort > 0 ? dnatTo(`-m addrtype --dst-type LOCAL -p sctp --dport ${nodePort}`, endpoints) : []),
  ];
  return { prerouting: rules, output: rules };
}
