import type { EndpointAddress, EndpointPort, EndpointSubset } from '@skiff/api';

/** One address behind one port; `port` absent for headless Services without ports. */
export interface EndpointEntry {
  readonly address: EndpointAddress;
  readonly port: EndpointPort | undefined;
  readonly ready: boolean;
}

const addressKey = (a: EndpointAddress): string => `${a.ip} ${a.targetRef?.uid ?? ''}`;
const portKey = (p: EndpointPort | undefined): string =>
  p === undefined ? '' : `${p.name ?? ''} ${String(p.port).padStart(5, '0')} ${p.protocol ?? ''} ${p.appProtocol ?? ''}`;
const byKey =
  <T>(of: (value: T) => string) =>
  (a: T, b: T): number =>
    of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0;

/** The canonical subsets: ports with the same addresses stand together, everything sorted. An address that is ready once is ready. */
export function computeSubsets(entries: readonly EndpointEntry[]): EndpointSubset[] {
  const ports = new Map<string, { port: EndpointPort | undefined; addresses: Map<string, { address: EndpointAddress; ready: boolean }> }>();
  for (const { address, port, ready } of entries) {
    const group = ports.get(portKey(port)) ?? { port, addresses: new Map<string, { address: EndpointAddress; ready: boolean }>() };
    const known = group.addresses.get(addressKey(address));
    group.addresses.set(addressKey(address), { address, ready: ready || known?.ready === true });
    ports.set(portKey(port), group);
  }
  const subsets = new Map<string, EndpointSubset>();
  for (const { port, addresses } of [...ports.values()].sort(byKey((g) => portKey(g.port)))) {
    const sorted = [...addresses].sort(byKey(([key]) => key));
    const id = JSON.stringify(sorted.map(([key, { ready }]) => [key, ready]));
    const known = subsets.get(id);
    if (known !== undefined) {
      if (port !== undefined) known.ports = [...(known.ports ?? []), port];
      continue;
    }
    const ready = sorted.filter(([, a]) => a.ready).map(([, a]) => a.address);
    const notReady = sorted.filter(([, a]) => !a.ready).map(([, a]) => a.address);
    subsets.set(id, {
      ...(ready.length === 0 ? {} : { addresses: ready }),
      ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady }),
      ...(port === undefined ? {} : { ports: [port] }),
    });
  }
  return [...subsets.values()];
}

/** At most `max` addresses in all, ready ones before others. Returns whether some had to go. */
export function truncateSubsets(subsets: readonly EndpointSubset[], max: number): { subsets: EndpointSubset[]; truncated: boolean } {
  const count = (key: 'addresses' | 'notReadyAddresses'): number => subsets.reduce((n, s) => n + (s[key] ?? []).length, 0);
  if (count('addresses') + count('notReadyAddresses') <= max) return { subsets: [...subsets], truncated: false };
  let room = max;
  const take = (list: EndpointAddress[] | undefined): EndpointAddress[] => {
    const taken = (list ?? []).slice(0, room);
    room -= taken.length;
    return taken;
  };
  const ready = subsets.map((s) => take(s.addresses));
  const cut = subsets.map((s, i): EndpointSubset => {
    const notReady = take(s.notReadyAddresses);
    return {
      ...((ready[i] ?? []).length === 0 ? {} : { addresses: ready[i] ?? [] }),
      ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady }),
      ...(s.ports === undefined ? {} : { ports: s.ports }),
    };
  });
  return { subsets: cut.filter((s) => s.addresses !== undefined || s.notReadyAddresses !== undefined), truncated: true };
}
