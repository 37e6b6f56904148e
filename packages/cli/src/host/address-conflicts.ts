import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { ClusterConfig } from '../config.ts';
import { UserError } from '../user-error.ts';
import { runOk } from './run.ts';

type Ranges = Pick<ClusterConfig, 'instance' | 'podCidr' | 'serviceCidr' | 'shadowCidr'>;

/** What the host uses already. IPv4. */
export interface HostAddresses {
  readonly routes: readonly { readonly destination: string; readonly device: string; readonly own: boolean }[];
  /** What the host must go on reaching, with a word on what it is. */
  readonly needed: readonly { readonly address: string; readonly what: string }[];
}

interface Range {
  readonly first: number;
  readonly last: number;
}

const toNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

/** A plain address is a range of one. */
function rangeOf(cidr: string): Range {
  const [address = '', bits = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  const first = Math.floor(toNumber(address) / size) * size;
  return { first, last: first + size - 1 };
}
const contains = (outer: Range, inner: Range): boolean => outer.first <= inner.first && outer.last >= inner.last;
const overlap = (a: Range, b: Range): boolean => a.first <= b.last && b.first <= a.last;

export interface AddressConflicts {
  /** With these the cluster or the host would not work. */
  readonly errors: readonly string[];
  /** Part of a larger network can't be reached from this host any more. */
  readonly warnings: readonly string[];
}

/** Compares the cluster's ranges with each other and with what the host uses. */
export function findAddressConflicts(config: Ranges, host: HostAddresses): AddressConflicts {
  const ranges = [
    { flag: '--pod-cidr', cidr: config.podCidr },
    { flag: '--service-cidr', cidr: config.serviceCidr },
    { flag: '--shadow-cidr', cidr: config.shadowCidr },
  ].map((r) => ({ ...r, range: rangeOf(r.cidr) }));
  const errors: string[] = [];
  const warnings: string[] = [];
  ranges.forEach((a, i) => {
    for (const b of ranges.slice(i + 1))
      if (overlap(a.range, b.range)) errors.push(`${a.flag} ${a.cidr} and ${b.flag} ${b.cidr} have addresses in common`);
  });
  for (const { flag, cidr, range } of ranges) {
    for (const { address, what } of host.needed)
      if (contains(range, rangeOf(address))) errors.push(`${flag} ${cidr} contains ${what}, ${address}`);
    for (const route of host.routes) {
      if (route.own || route.destination === 'default') continue;
      const used = rangeOf(route.destination);
      const text = `${flag} ${cidr}: this host has a route to ${route.destination} (${route.device})`;
      if (contains(range, used)) errors.push(text);
      else if (overlap(range, used)) warnings.push(`${text}; pods and Services take their part of it`);
    }
  }
  return { errors: [...new Set(errors)], warnings };
}

/** Routes of pods of any instance, and those that Skiff makes for addresses nobody has, are no sign of a conflict. */
const isOwnRoute = (route: { dev?: string; protocol?: string; metric?: number }, instance: string): boolean =>
  route.protocol === '83' || route.metric === 4_278_198_272 || route.dev === `sks-${instance}` || /^sk[pv]/.test(route.dev ?? '');

async function readHostAddresses(config: Ranges): Promise<HostAddresses> {
  const listed = JSON.parse(await runOk('ip', ['-j', '-4', 'route', 'show'])) as {
    dst?: string;
    dev?: string;
    gateway?: string;
    protocol?: string;
    metric?: number;
  }[];
  const routes = listed.map((r) => ({
    destination: r.dst ?? 'default',
    device: r.dev ?? 'unreachable',
    own: isOwnRoute(r, config.instance),
    gateway: r.gateway,
  }));
  const needed: { address: string; what: string }[] = [];
  for (const [name, list] of Object.entries(networkInterfaces())) {
    if (/^sk[psv]/.test(name)) continue;
    for (const a of list ?? []) if (a.family === 'IPv4') needed.push({ address: a.address, what: `this host's own address on ${name}` });
  }
  for (const r of routes)
    if (r.gateway !== undefined && !r.own) needed.push({ address: r.gateway, what: `the gateway of the route to ${r.destination}` });
  const resolv = readFileSync('/etc/resolv.conf', 'utf8');
  for (const [, address] of resolv.matchAll(/^nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$/gm))
    needed.push({ address: address ?? '', what: 'the name server of /etc/resolv.conf' });
  return { routes, needed };
}

/** Throws UserError with what to do when the cluster's ranges can't be used on this host. Resolves with warnings. */
export async function checkAddresses(config: Ranges): Promise<readonly string[]> {
  const { errors, warnings } = findAddressConflicts(config, await readHostAddresses(config));
  if (errors.length === 0) return warnings;
  throw new UserError(
    `The cluster's addresses can't be used on this host:\n${errors.map((e) => `  - ${e}`).join('\n')}\n` +
      'Choose ranges that nothing else uses, for example: --pod-cidr=172.28.0.0/16 --shadow-cidr=172.29.0.0/16 --service-cidr=172.30.0.0/16\n' +
      'All hosts of a cluster have the same ones: they are chosen where its first host is set up.',
  );
}
