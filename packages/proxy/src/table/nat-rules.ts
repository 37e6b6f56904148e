import type { ServicePort } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Endpoint, Protocol } from './types.ts';

/** Random choice among endpoints by the kernel: the nth of m rules takes 1/(m-n) of what reaches it. */
function dnatTo(match: string, endpoints: readonly Endpoint[]): readonly string[] {
  return endpoints.map((e, i) => {
    const left = endpoints.length - i;
    const chance = left === 1 ? '' : ` -m statistic --mode random --probability ${(1 / left).toFixed(10)}`;
    return `${match}${chance} -j DNAT --to-destination ${e.address}:${e.port}`;
  });
}

/**
 * `externalTrafficPolicy: Local` for one port: what comes from outside goes straight to an endpoint on this node and keeps its
 * source address; without one it is dropped. This node's pods and the host itself use the listeners, which choose from all endpoints.
 */
export function renderLocalPort(o: {
  protocol: Protocol;
  nodePort: number;
  /** undefined: all of the host. */
  nodePortAddresses: readonly string[] | undefined;
  port: number;
  outside: readonly string[];
  endpoints: readonly Endpoint[];
  /** Addresses of this node's pods. Those of other nodes' pods are outside. */
  localPodCidr: string;
}): { prerouting: readonly string[]; refusals: readonly string[] } {
  const protocol = o.protocol.toLowerCase();
  const fromOutside = `! -s ${o.localPodCidr} -m addrtype ! --src-type LOCAL`;
  const matches = [
    ...(o.nodePort === 0
      ? []
      : o.nodePortAddresses === undefined
        ? [`${fromOutside} --dst-type LOCAL -p ${protocol} --dport ${o.nodePort}`]
        : o.nodePortAddresses.map((address) => `-d ${address}/32 ${fromOutside} -p ${protocol} --dport ${o.nodePort}`)),
    ...o.outside.map((address) => `-d ${address}/32 ${fromOutside} -p ${protocol} --dport ${o.port}`),
  ];
  return {
    prerouting: matches.flatMap((match) => dnatTo(match, o.endpoints)),
    refusals: o.endpoints.length > 0 ? [] : matches.map((match) => `${match} -j DROP`),
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
