import { builtinResources, builtinSchemas } from '@skiff/api';
import type { ResourceDefinition } from '@skiff/apimachinery';
import { silentLogger, systemClock } from '@skiff/component-base';
import { createMemoryStore, type DurableStore } from '@skiff/storage';
import { afterEach, describe, expect, it } from 'vitest';
import type { ResourceRegistry } from '../../contract.ts';
import { createRegistry } from '../registry.ts';
import { AllocationError, type IPAddress, type ServiceCIDR } from './ip-allocator.ts';
import { formatAddress, parseAddress, parseRange, staticBand } from './ip-range.ts';
import { NodePortAllocator } from './node-port-allocator.ts';
import type { Service } from './service-fields.ts';

const find = <T>(group: string, plural: string): ResourceDefinition<T & object> =>
  builtinResources.find((d) => d.group === group && d.plural === plural) as unknown as ResourceDefinition<T & object>;
const services = find<Service>('', 'services');
const addresses = find<IPAddress>('networking.k8s.io', 'ipaddresses');

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function start(store: DurableStore, cidr = '10.96.0.0/24'): Promise<ResourceRegistry> {
  const controller = new AbortController();
  const registry = createRegistry(
    {
      definitions: builtinResources,
      schema: builtinSchemas,
      keyPrefix: '/registry',
      serviceClusterIpRanges: [cidr],
      serviceNodePortRange: { from: 30000, to: 30031 },
    },
    {
      store,
      clock: systemClock,
      log: silentLogger,
      admission: () => ({ mutate: async () => undefined, validate: async () => undefined }),
      subresources: () => [],
      authorizeCreate: async () => undefined,
    },
  );
  const running = registry.run(controller.signal);
  stops.push(async () => {
    controller.abort();
    await running;
  });
  await registry.ready(controller.signal);
  return registry;
}

const service = (name: string, spec: Service['spec'] = {}): Service => ({
  metadata: { name, namespace: 'default' },
  spec: { ports: [{ port: 80 }], ...spec },
});
const make = (r: ResourceRegistry, name: string, spec?: Service['spec']): Promise<Service> =>
  r.objects.create(services as ResourceDefinition<Service>, service(name, spec));

describe('address ranges', () => {
  it('leave out the network and broadcast addresses, and a band for those who ask by name', () => {
    const range = parseRange('10.96.0.0/16');
    expect(formatAddress(range.first, 'IPv4')).toBe('10.96.0.1');
    expect(formatAddress(range.last, 'IPv4')).toBe('10.96.255.254');
    expect(staticBand(range)).toBe(256n);
    expect(staticBand(parseRange('10.96.0.0/28'))).toBe(0n);
    expect(formatAddress(parseAddress('fd00:0:0::a') ?? 0n, 'IPv6')).toBe('fd00::a');
  });
});

describe('Services', () => {
  it('of two apiservers on one store never share an address or a port', async () => {
    const store = createMemoryStore();
    const [a, b] = [await start(store), await start(store)];
    const made = await Promise.all(Array.from({ length: 24 }, (_, i) => make(i % 2 === 0 ? a : b, `s${i}`, { type: 'NodePort' })));
    expect(new Set(made.map((s) => s.spec?.clusterIP)).size).toBe(24);
    expect(new Set(made.map((s) => s.spec?.ports?.[0]?.nodePort)).size).toBe(24);
  });

  it('give back what they had when they are deleted, change type, or fail to be made', async () => {
    const r = await start(createMemoryStore());
    const made = await make(r, 's', { type: 'NodePort', ports: [{ port: 80, nodePort: 30005 }] });
    const ip = made.spec?.clusterIP ?? '';
    await expect(make(r, 'other', { type: 'NodePort', ports: [{ port: 80, nodePort: 30005 }] })).rejects.toThrow(
      'provided port is already allocated',
    );
    await expect(make(r, 'other', { clusterIP: ip })).rejects.toThrow('provided IP is already allocated');
    await expect(make(r, 's')).rejects.toThrow('already exists');
    expect(await r.objects.read(addresses as ResourceDefinition<IPAddress>, '', ip)).toBeDefined();
    await r.objects.update(services as ResourceDefinition<Service>, 'default', 's', (draft) => {
      draft.spec = { ...draft.spec, type: 'ClusterIP' };
      return draft;
    });
    expect((await make(r, 'other', { type: 'NodePort', ports: [{ port: 80, nodePort: 30005 }] })).spec?.ports?.[0]?.nodePort).toBe(30005);
    await r.objects.delete(services as ResourceDefinition, 'default', 's');
    expect(await r.objects.read(addresses as ResourceDefinition<IPAddress>, '', ip)).toBeUndefined();
    // Nothing of the failed creations is left taken.
    const owned = r.objects.list(addresses as ResourceDefinition<IPAddress>);
    await expect.poll(() => r.objects.list(addresses as ResourceDefinition<IPAddress>).length).toBeLessThanOrEqual(owned.length);
    expect(await make(r, 'again', { clusterIP: ip })).toMatchObject({ spec: { clusterIP: ip } });
  });

  it('say when the range is full', async () => {
    const r = await start(createMemoryStore(), '10.96.0.0/29');
    for (let i = 0; i < 6; i++) await make(r, `s${i}`);
    await expect(make(r, 'more')).rejects.toThrow('failed to allocate a serviceIP for Service "more": range is full');
  });
});

describe('node ports', () => {
  it('are upstream’s bitmap in the store', async () => {
    const store = createMemoryStore();
    const ports = new NodePortAllocator({ from: 30000, to: 32767 }, { store, key: '/registry/ranges/servicenodeports', random: () => 0 });
    await ports.allocate(30000, false);
    await ports.allocate(30009, false);
    expect(await ports.allocateNext(false)).toBe(30086);
    await expect(ports.allocate(30009, false)).rejects.toBeInstanceOf(AllocationError);
    await expect(ports.allocate(29999, false)).rejects.toThrow('The range of valid ports is 30000-32767');
    await ports.release([30086, 30000]);
    const { entry } = await store.get('/registry/ranges/servicenodeports');
    expect(JSON.parse(entry?.value.toString() ?? '')).toMatchObject({
      kind: 'RangeAllocation',
      range: '30000-32767',
      data: Buffer.from([2, 0]).toString('base64'),
    });
  });

  it('are read as upstream writes them', async () => {
    const store = createMemoryStore();
    const key = '/registry/ranges/servicenodeports';
    // By kube-apiserver 1.36, but for the data: ports 30000 and 30009.
    const head =
      '6b387300 0a150a0276311 20f52616e6765416c6c6f636174696f6e1223 0a100a0012001a0022002a0032003800420012 0b33303030302d3332373637';
    await store.put(key, Buffer.from(`${head}1a020201 1a002200`.replaceAll(' ', ''), 'hex'), { expected: 0 });
    const ports = new NodePortAllocator({ from: 30000, to: 32767 }, { store, key, random: () => 0 });
    await expect(ports.allocate(30000, false)).rejects.toThrow('already allocated');
    await expect(ports.allocate(30009, false)).rejects.toThrow('already allocated');
    await ports.allocate(30001, false);
    expect(JSON.parse((await store.get(key)).entry?.value.toString() ?? '')).toMatchObject({
      data: Buffer.from([2, 3]).toString('base64'),
    });
  });
});

describe('ServiceCIDR objects', () => {
  const cidrs = find<ServiceCIDR>('networking.k8s.io', 'servicecidrs');
  const setReady = (r: ResourceRegistry, status: string): Promise<unknown> =>
    r.objects.update(
      cidrs,
      '',
      'more',
      (draft) => {
        draft.status = { conditions: [{ type: 'Ready', status, reason: '', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }] };
        return draft;
      },
      { subresource: 'status' },
    );

  it('add their addresses once they are ready', async () => {
    const registry = await start(createMemoryStore(), '10.96.0.0/30');
    await registry.objects.create(cidrs, { metadata: { name: 'more' }, spec: { cidrs: ['10.97.0.0/30'] } });
    await make(registry, 'a');
    await make(registry, 'b');
    await expect(make(registry, 'c')).rejects.toThrow('range is full');
    await expect(make(registry, 'c', { clusterIP: '10.97.0.2' })).rejects.toThrow('does not match the current range');
    await setReady(registry, 'True');
    const c = await make(registry, 'c');
    expect(c.spec?.clusterIP).toMatch(/^10\.97\.0\.[12]$/);
    await setReady(registry, 'False');
    await expect(make(registry, 'd')).rejects.toThrow('range is full');
  });
});
