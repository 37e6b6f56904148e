import type { Pod, ServicePort } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { BackendGroup, Endpoint, Frontend, Protocol } from './types.ts';

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

export interface HostPortRules {
  readonly groups: Readonly<Record<string, BackendGroup>>;
  readonly frontends: readonly Frontend[];
  readonly prerouting: readonly string[];
  readonly output: readonly string[];
  readonly postrouting: readonly string[];
}

const anyAddress = new Set(['', '0.0.0.0', '::']);

/**
 * hostPort of this node's pods: the kernel translates the address so that pods see their clients; only what is asked of
 * 127.0.0.1, which can't be routed to a pod, is carried by a listener.
 */
export function renderHostPorts(pods: readonly DeepReadonly<Pod>[]): HostPortRules {
  const groups: Record<string, BackendGroup> = {};
  const frontends: Frontend[] = [];
  const inbound: string[] = [];
  const postrouting: string[] = [];
  for (const pod of pods) {
    const address = pod.status?.podIP ?? '';
    const phase = pod.status?.phase;
    if (address === '' || address.includes(':') || pod.spec?.hostNetwork === true || phase === 'Succeeded' || phase === 'Failed') continue;
    const ports = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]
      .flatMap((c) => c.ports ?? [])
      .filter((p) => (p.hostPort ?? 0) > 0);
    for (const p of ports) {
      const hostPort = p.hostPort ?? 0;
      const protocol = p.protocol ?? 'TCP';
      const hostIP = p.hostIP ?? '';
      const loopback = hostIP.startsWith('127.');
      if (!loopback) {
        const destination = anyAddress.has(hostIP) ? '! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL' : `-d ${hostIP}/32`;
        inbound.push(...dnatTo(`${destination} -p ${protocol.toLowerCase()} --dport ${hostPort}`, [{ address, port: p.containerPort }]));
      }
      if ((loopback || anyAddress.has(hostIP)) && protocol !== 'SCTP') {
        const group = `hostPort/${pod.metadata?.uid ?? ''}/${protocol}/${hostPort}`;
        groups[group] = { endpoints: [{ address, port: p.containerPort }] };
        frontends.push({ place: 'host', protocol: protocol as Protocol, address: loopback ? hostIP : '127.0.0.1', port: hostPort, group });
      }
    }
    // A pod that asks for its own host port must get its answer through the host.
    if (ports.length > 0) postrouting.push(`-s ${address}/32 -d ${address}/32 -j MASQUERADE`);
  }
  return { groups, frontends, prerouting: inbound, output: inbound, postrouting };
}
