import { isIPv4 } from 'node:net';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';

/** A port of the host that leads to a pod. */
export interface HostPort {
  /** '' and 0.0.0.0: every address of the host, 127.0.0.1 among them. */
  readonly hostIP: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
}

/** The API takes any text, which must not get into the packet filter's rules. */
const isAddress = (hostIP: string): boolean => hostIP === '' || isIPv4(hostIP);

const isHostPort = (o: unknown): o is HostPort => {
  const { hostIP, hostPort, containerPort, protocol } = (o ?? {}) as Partial<HostPort>;
  const ports = Number.isInteger(hostPort) && Number.isInteger(containerPort);
  return ports && typeof hostIP === 'string' && isAddress(hostIP) && ['TCP', 'UDP', 'SCTP'].includes(protocol ?? '');
};

/** As they were noted (JSON) when a sandbox was made. undefined: that is not what the text says. */
export function readHostPorts(text: string): readonly HostPort[] | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) && found.every(isHostPort) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Host ports of a pod that has a network of its own. Addresses of IPv6 lead nowhere yet. Throws when a hostIP is no address. */
export function hostPortsOf(pod: PodSnapshot): readonly HostPort[] {
  const ports = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
    .flatMap((c) => c.ports ?? [])
    .filter((p) => (p.hostPort ?? 0) > 0)
    .map((p) => ({
      hostIP: p.hostIP === '::' ? '' : (p.hostIP ?? ''),
      hostPort: p.hostPort ?? 0,
      containerPort: p.containerPort,
      protocol: (p.protocol ?? 'TCP') as HostPort['protocol'],
    }))
    .filter((p) => !p.hostIP.includes(':'));
  const wrong = ports.find((p) => !isAddress(p.hostIP));
  if (wrong !== undefined) throw new Error(`hostIP "${wrong.hostIP}" of host port ${wrong.hostPort} is not an IP address`);
  return ports;
}

export interface PodHostPorts {
  /** The pod's. */
  readonly address: string;
  readonly ports: readonly HostPort[];
}

export interface HostPortRules {
  /** For what comes from other hosts and from pods. */
  readonly prerouting: readonly string[];
  /** For what the host itself sends. */
  readonly output: readonly string[];
  readonly postrouting: readonly string[];
}

const isAny = (hostIP: string): boolean => hostIP === '' || hostIP === '0.0.0.0';
const isLoopback = (hostIP: string): boolean => hostIP.startsWith('127.');

/** Whether the pod is asked for under an address of the loopback link, which its own link must then be open for. */
export const usesLoopback = (ports: readonly HostPort[]): boolean => ports.some((p) => isAny(p.hostIP) || isLoopback(p.hostIP));

/**
 * The kernel translates the destination and leaves the source alone: pods see their clients. Two exceptions, for whom
 * `hostSource` stands in: a pod that asks for itself, and the host on its loopback addresses, which mean something else in a pod.
 */
export function renderHostPorts(pods: readonly PodHostPorts[], links: string, hostSource: string): HostPortRules {
  const rules = pods.flatMap(({ address, ports }) =>
    ports
      .filter((p) => isAddress(p.hostIP))
      .map((p) => {
        const destination = isAny(p.hostIP) ? '-m addrtype --dst-type LOCAL' : `-d ${p.hostIP}/32`;
        return `${destination} -p ${p.protocol.toLowerCase()} --dport ${p.hostPort} -j DNAT --to-destination ${address}:${p.containerPort}`;
      }),
  );
  const withPorts = pods.filter((p) => p.ports.length > 0);
  return {
    prerouting: rules,
    output: rules,
    postrouting: [
      ...withPorts.map(({ address }) => `-s ${address}/32 -d ${address}/32 -o ${links} -j SNAT --to-source ${hostSource}`),
      ...(withPorts.some((p) => usesLoopback(p.ports)) ? [`-s 127.0.0.0/8 -o ${links} -j SNAT --to-source ${hostSource}`] : []),
    ],
  };
}
