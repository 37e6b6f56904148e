import { networkInterfaces } from 'node:os';
import { readKernel } from '../../host/read-kernel.ts';
import type { RunCommand } from '../../host/run-command.ts';

const withoutNetworkMtu = 1500;

/** Bytes that VXLAN adds to each packet: outer IPv4, UDP and VXLAN headers and the inner Ethernet header. */
export const vxlanOverhead = 50;

/** The interface that has the node's address, else the one that the default route leaves by. Listing all interfaces is dear on a full node. */
export function uplinkDevice(nodeAddress: string, interfaces = networkInterfaces()): string | undefined {
  const owner = Object.entries(interfaces).find(([, addresses]) => addresses?.some((a) => a.address === nodeAddress && !a.internal));
  return owner?.[0] ?? parseRoutes(readRoutes()).find((r) => r.destination === '0.0.0.0/0')?.device;
}

/** MTU of an interface; 1500 where there is none. */
export const deviceMtu = (device: string | undefined): number =>
  (device === undefined ? 0 : Number(readKernel(`/sys/class/net/${device}/mtu`))) || withoutNetworkMtu;

export interface KernelRoute {
  readonly destination: string;
  readonly gateway: string;
  readonly device: string;
}

const hexAddress = (hex: string): string => [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.');

/** Lines of /proc/net/route (bytes in the host's order: little-endian wherever Skiff runs). Needs no process, so it can be often. */
export function parseRoutes(text: string): readonly KernelRoute[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [device, destination, gateway, , , , , mask] = line.split('\t').map((f) => f.trim());
      if (device === undefined || destination === undefined || gateway === undefined || mask === undefined) return [];
      const bits = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
      return [{ destination: `${hexAddress(destination)}/${bits}`, gateway: hexAddress(gateway), device }];
    });
}

/** For `parseRoutes`. */
export const readRoutes = (): string => readKernel('/proc/net/route');

/** For each address the interface that reaches it without a router. */
export async function findOnLink(run: RunCommand, addresses: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  await Promise.all(
    addresses.map(async (address) => {
      // No route at all is an answer too.
      const text = await run('ip', ['-j', 'route', 'get', address]).catch(() => '[]');
      const [route] = JSON.parse(text) as { dev?: string; gateway?: string; via?: unknown; type?: string }[];
      if (route?.dev === undefined || route.gateway !== undefined || route.via !== undefined) return;
      if (route.dev === 'lo' || route.type === 'local') return;
      found.set(address, route.dev);
    }),
  );
  return found;
}
