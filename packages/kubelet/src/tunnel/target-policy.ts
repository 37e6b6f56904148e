import { BlockList, isIP } from 'node:net';
import type { Dial, HostPort } from '@skiff/tunnel';

/** What the node knows when it is asked to connect somewhere. */
export interface LocalNetwork {
  /** Addresses that this kubelet gave to its pods. */
  readonly podAddresses: ReadonlySet<string>;
  /** Ports that pods in the host's network declare. */
  readonly hostNetworkPorts: ReadonlySet<number>;
  /** The addresses under which the node is known. */
  readonly nodeAddresses: readonly string[];
  /** Every address of the host's interfaces. */
  readonly ownAddresses: ReadonlySet<string>;
}

export type TargetPlan =
  | { readonly kind: 'kubelet' }
  /** The host may be a name: resolve it, and ask `refusalOf` about the address that will be dialled. */
  | { readonly kind: 'connect'; readonly host: string; readonly port: number }
  | { readonly kind: 'refuse'; readonly why: string };

/** Nothing that is meant for the host itself, its link, or a cloud's metadata service. */
const forbidden = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
  ['192.0.0.0', 24],
  ['224.0.0.0', 3],
] as const)
  forbidden.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  ['::', 127],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
  ['64:ff9b::', 96],
  ['fd00:ec2::254', 128],
  ['fd20:ce::254', 128],
] as const)
  forbidden.addSubnet(network, prefix, 'ipv6');

/** An IPv4 address that is written as IPv6 is judged as what it is. */
export function canonicalAddress(address: string): string {
  const mapped = /^::ffff:(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i.exec(address);
  if (mapped === null) return address.toLowerCase();
  if (mapped[1] !== undefined) return mapped[1];
  const [high, low] = [Number.parseInt(mapped[2] ?? '0', 16), Number.parseInt(mapped[3] ?? '0', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** Why an address must not be dialled for the control plane; undefined: it may. */
export function refusalOf(address: string, port: number, local: LocalNetwork): string | undefined {
  const canonical = canonicalAddress(address);
  const family = isIP(canonical);
  if (family === 0) return `${address} is no address`;
  if (local.podAddresses.has(canonical)) return undefined;
  if (forbidden.check(canonical, family === 4 ? 'ipv4' : 'ipv6'))
    return `${address} is a loopback, link-local, metadata or multicast address`;
  if (local.nodeAddresses.includes(canonical) && local.hostNetworkPorts.has(port)) return undefined;
  if (local.ownAddresses.has(canonical)) return `${address} is an address of the node itself`;
  return undefined;
}

const valid = (t: HostPort | null | undefined): t is HostPort =>
  t !== undefined && t !== null && t.host !== '' && t.host.length <= 253 && t.port >= 1 && t.port <= 65_535;

/** What to do about a Dial. */
export function planTarget(target: Dial['target'], local: LocalNetwork): TargetPlan {
  if (target?.kubelet) return { kind: 'kubelet' };
  const refuse = (why: string): TargetPlan => ({ kind: 'refuse', why });
  if (valid(target?.pod)) {
    const { host, port } = target.pod;
    const address = canonicalAddress(host);
    const ofHostNetwork = local.nodeAddresses.includes(address) && local.hostNetworkPorts.has(port);
    if (!local.podAddresses.has(address) && !ofHostNetwork) return refuse(`no pod of this node has the address ${host}:${port}`);
    return { kind: 'connect', host: address, port };
  }
  if (valid(target?.address)) {
    const { host, port } = target.address;
    const why = isIP(host) === 0 ? undefined : refusalOf(host, port, local);
    return why === undefined ? { kind: 'connect', host, port } : refuse(why);
  }
  return refuse('the target is not understood');
}
