import { endpointSlice, endpoints, type Endpoints, type EndpointSlice } from '@skiff/api';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { FakeObjects } from '../object-access.fake.ts';
import { renderSlices, renderSubsets, runKubernetesService } from './kubernetes-service.ts';

const config = {
  advertiseAddress: '192.0.2.1',
  securePort: 6443,
  serviceClusterIpRanges: ['10.96.0.0/16'],
  clientCaPem: undefined,
  requestHeader: { caPem: undefined, allowedNames: [] },
};

describe('endpoints of the apiservers', () => {
  it('are grouped by port, whatever the order of the members', () => {
    const members = [
      { ip: '192.0.2.2', port: 6443 },
      { ip: '192.0.2.1', port: 6443 },
      { ip: '192.0.2.1', port: 7443 },
      { ip: '192.0.2.2', port: 6443 },
    ];
    const https = (port: number): object => ({ name: 'https', port, protocol: 'TCP' });
    const subsets = [
      { addresses: [{ ip: '192.0.2.1' }, { ip: '192.0.2.2' }], ports: [https(6443)] },
      { addresses: [{ ip: '192.0.2.1' }], ports: [https(7443)] },
    ];
    expect(renderSubsets(members)).toEqual(subsets);
    expect(renderSubsets(members.toReversed())).toEqual(subsets);
  });

  it('fill a slice for each family and port', () => {
    const slices = renderSlices([
      { ip: 'fd00::1', port: 6443 },
      { ip: '192.0.2.1', port: 6443 },
    ]);
    expect(slices.map((s) => [s.metadata?.name, s.addressType, s.endpoints?.[0]?.addresses])).toEqual([
      ['kubernetes', 'IPv4', ['192.0.2.1']],
      ['kubernetes-2', 'IPv6', ['fd00::1']],
    ]);
  });

  it('follow the members, are put right when someone changes them, and stay when the last one goes', async () => {
    const objects = new FakeObjects();
    const clock = new FakeClock();
    let list = [{ ip: '192.0.2.1', port: 6443 }];
    const told = new Set<() => void>();
    const members = {
      list: () => list,
      subscribe: (changed: () => void) => {
        told.add(changed);
        return { [Symbol.dispose]: () => told.delete(changed) };
      },
      join: (_: object, o: { signal: AbortSignal }) =>
        new Promise<void>((resolve) => o.signal.addEventListener('abort', () => resolve(), { once: true })),
    };
    const change = async (next: typeof list): Promise<void> => {
      list = next;
      for (const tell of told) tell();
      await clock.advance(0);
    };
    const addresses = (): unknown[] => [
      objects.get<Endpoints>(endpoints, 'default', 'kubernetes')?.subsets?.flatMap((s) => s.addresses?.map((a) => a.ip)),
      objects.get<EndpointSlice>(endpointSlice, 'default', 'kubernetes')?.endpoints?.flatMap((e) => e.addresses),
    ];
    const stop = new AbortController();
    const running = runKubernetesService(config, { objects, members, clock, log: silentLogger }, stop.signal);
    await clock.advance(0);
    expect(addresses()).toEqual([['192.0.2.1'], ['192.0.2.1']]);
    const both = [
      { ip: '192.0.2.1', port: 6443 },
      { ip: '192.0.2.2', port: 6443 },
    ];
    await change(both);
    expect(addresses()).toEqual([
      ['192.0.2.1', '192.0.2.2'],
      ['192.0.2.1', '192.0.2.2'],
    ]);
    await objects.update<Endpoints>(endpoints, 'default', 'kubernetes', (draft) => ({ ...draft, subsets: [] }));
    await objects.delete(endpointSlice, 'default', 'kubernetes');
    await clock.advance(10_000);
    expect(addresses()).toEqual([
      ['192.0.2.1', '192.0.2.2'],
      ['192.0.2.1', '192.0.2.2'],
    ]);
    await change(both.slice(0, 1));
    expect(addresses()).toEqual([['192.0.2.1'], ['192.0.2.1']]);
    stop.abort();
    await running;
    expect([addresses(), told.size]).toEqual([[['192.0.2.1'], ['192.0.2.1']], 0]);
  });
});
