import { readFile, writeFile } from 'node:fs/promises';
import type { RunCommand } from '../host/run-command.ts';
import { parseIpv4 } from './ipv4.ts';

/**
 * One pod's network: a veth pair, point to point. In the pod: its address as /32, a default route over a gateway that exists
 * only as a permanent neighbour entry; on the host: one route to the address. So every packet passes the host's routing, and
 * nothing depends on bridges.
 */
export interface PodWire {
  /** Host's end. */
  readonly link: string;
  readonly address: string;
  /** A process in the pod's network namespace. */
  readonly pid: number;
}

export interface WiringConfig {
  readonly mtu: number;
  /** Source of what the host itself sends to pods. */
  readonly nodeAddress: string;
  /** A process in the host's network namespace. */
  readonly hostPid: number;
}

export const gatewayAddress = '169.254.1.1';
const hostMac = 'ee:ee:ee:ee:ee:ee';

/** Locally administered, unique by address. */
export const podMac = (address: string): string =>
  `0a:58:${[24, 16, 8, 0].map((shift) => ((parseIpv4(address) / 2 ** shift) & 255).toString(16).padStart(2, '0')).join(':')}`;

/** Lines for `ip -batch` in the pod. The host's end is left down: that it is up says that the wire is complete. */
export const renderPodWire = (wire: PodWire, o: Pick<WiringConfig, 'mtu' | 'hostPid'>): readonly string[] => [
  'link set dev lo up',
  `link add name eth0 mtu ${o.mtu} address ${podMac(wire.address)} type veth peer name ${wire.link} mtu ${o.mtu} address ${hostMac} netns ${o.hostPid}`,
  `address add ${wire.address}/32 dev eth0`,
  'link set dev eth0 up',
  `neighbour replace ${gatewayAddress} lladdr ${hostMac} dev eth0 nud permanent`,
  `route replace ${gatewayAddress}/32 dev eth0 scope link`,
  `route replace default via ${gatewayAddress} dev eth0 src ${wire.address}`,
];

/** Lines for `ip -batch` on the host. */
export const renderHostWire = (wire: PodWire, o: Pick<WiringConfig, 'nodeAddress'>): readonly string[] => [
  `link set dev ${wire.link} up`,
  `neighbour replace ${wire.address} lladdr ${podMac(wire.address)} dev ${wire.link} nud permanent`,
  // A host without a network has only loopback, which can't be a source: it is the gateway then.
  ...(o.nodeAddress.startsWith('127.')
    ? [
        `address replace ${gatewayAddress}/32 dev ${wire.link}`,
        `route replace ${wire.address}/32 dev ${wire.link} scope link src ${gatewayAddress}`,
      ]
    : [`route replace ${wire.address}/32 dev ${wire.link} scope link src ${o.nodeAddress}`]),
];

const batch = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

/**
 * Two short processes. What an interrupted attempt left behind is removed first. Each process carries out all of its lines even when the
 * kubelet dies meanwhile.
 */
export async function wirePod(run: RunCommand, wire: PodWire, config: WiringConfig): Promise<void> {
  const inPod = ['nsenter', [`--net=/proc/${wire.pid}/ns/net`, '--', 'ip', '-batch', '-'], batch(renderPodWire(wire, config))] as const;
  try {
    await run(...inPod);
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('File exists'))) throw error;
    await unwirePod(run, wire.link);
    await run(...inPod);
  }
  await run('ip', ['-batch', '-'], batch(renderHostWire(wire, config)));
}

/** Whether a wire is there as a whole: whoever made it may have died in the middle. */
export async function isWired(link: string): Promise<boolean> {
  const flags = await readFile(`/sys/class/net/${link}/flags`, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '0';
    throw error;
  });
  return (Number(flags) & 1) === 1;
}

/** Both ends and the route go at once. A link that is gone already is what was wanted. */
export async function unwirePod(run: RunCommand, link: string): Promise<void> {
  await run('ip', ['link', 'delete', 'dev', link]).catch((error: Error) => {
    if (!/Cannot find device|does not exist/.test(error.message)) throw error;
  });
}

/** What the host itself is to pods: its address, or the gateway's where the host has no network. */
export const hostSource = (nodeAddress: string): string => (nodeAddress.startsWith('127.') ? gatewayAddress : nodeAddress);

/** Lets what the host sends from its loopback addresses pass this link, and the answers. */
export const openForLoopback = (link: string): Promise<void> => writeFile(`/proc/sys/net/ipv4/conf/${link}/route_localnet`, '1');

/** Changes both ends of a pod's wire. */
export async function setPodMtu(run: RunCommand, wire: Pick<PodWire, 'link' | 'pid'>, mtu: number): Promise<void> {
  await run('ip', ['link', 'set', 'dev', wire.link, 'mtu', String(mtu)]);
  await run('nsenter', [`--net=/proc/${wire.pid}/ns/net`, '--', 'ip', 'link', 'set', 'dev', 'eth0', 'mtu', String(mtu)]);
}

/** Far behind everything else that leads to these addresses. */
const unreachableMetric = '4278198272';

/** Addresses without a pod answer at once that they can't be reached, instead of leaving by the default route. */
export const ensureUnreachable = (run: RunCommand, cidr: string): Promise<unknown> =>
  run('ip', ['route', 'replace', 'unreachable', cidr, 'metric', unreachableMetric]);

/** Takes back what `ensureUnreachable` made for ranges within `cidr`, which may be shared: a route that another node just took back is gone. */
export async function removeUnreachable(run: RunCommand, cidr: string): Promise<void> {
  const routes = (await run('ip', ['route', 'show', 'type', 'unreachable', 'root', cidr])).split('\n');
  for (const route of routes) {
    const range = route.trim().split(' ')[1];
    if (range === undefined || !route.includes(`metric ${unreachableMetric}`)) continue;
    await run('ip', ['route', 'delete', 'unreachable', range, 'metric', unreachableMetric]).catch((error: Error) => {
      if (!error.message.includes('No such process')) throw error;
    });
  }
}
