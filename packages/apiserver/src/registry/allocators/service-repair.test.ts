import { builtinResources, builtinSchemas } from '@skiff/api';
import type { ResourceDefinition } from '@skiff/apimachinery';
import { silentLogger, systemClock } from '@skiff/component-base';
import { createMemoryStore, type DurableStore } from '@skiff/storage';
import { afterEach, describe, expect, it } from 'vitest';
import type { ResourceRegistry } from '../../contract.ts';
import { createRegistry } from '../registry.ts';
import { IPAllocator, managedByAllocator, managedByLabel, type IPAddress } from './ip-allocator.ts';
import { NodePortAllocator } from './node-port-allocator.ts';
import type { Service } from './service-fields.ts';
import { newRepairState, repairOnce, type RepairState, type ServiceRepairDeps } from './service-repair.ts';

const find = <T>(group: string, plural: string): ResourceDefinition<T & object> =>
  builtinResources.find((d) => d.group === group && d.plural === plural) as unknown as ResourceDefinition<T & object>;
const services = find<Service>('', 'services');
const addresses = find<IPAddress>('networking.k8s.io', 'ipaddresses');
const key = '/registry/ranges/servicenodeports';
const range = { from: 30000, to: 30031 };

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A server without allocation of its own, so that Services and addresses can be put there as a crash would leave them. */
async function start(store: DurableStore): Promise<ResourceRegistry> {
  const controller = new AbortController();
  const registry = createRegistry(
    {
      definitions: builtinResources,
      schema: builtinSchemas,
      keyPrefix: '/registry',
      serviceClusterIpRanges: [],
      serviceNodePortRange: range,
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

interface Server {
  readonly registry: ResourceRegistry;
  readonly deps: ServiceRepairDeps;
  readonly state: RepairState;
  readonly said: string[];
}
async function server(store: DurableStore): Promise<Server> {
  const registry = await start(store);
  const { objects } = registry;
  const said: string[] = [];
  const deps: ServiceRepairDeps = {
    ips: new IPAllocator(['10.96.0.0/24'], { addresses, objects }),
    ports: new NodePortAllocator(range, { store, key }),
    log: silentLogger,
    services,
    objects,
    clock: systemClock,
    report: async (object, o) => void said.push(`${object.metadata?.name ?? ''} ${o.reason}: ${o.message}`),
  };
  return { registry, deps, state: newRepairState(), said };
}
const put = ({ registry }: Server, name: string, ip: string, nodePort?: number): Promise<Service> =>
  registry.objects.create(services, {
    metadata: { name, namespace: 'ns' },
    spec: {
      type: nodePort === undefined ? 'ClusterIP' : 'NodePort',
      clusterIP: ip,
      clusterIPs: [ip],
      ports: [{ port: 80, ...(nodePort === undefined ? {} : { nodePort }) }],
    },
  });
const take = ({ registry }: Server, ip: string, name: string): Promise<IPAddress> =>
  registry.objects.create(addresses, {
    metadata: { name: ip, labels: { [managedByLabel]: managedByAllocator, 'ipaddress.kubernetes.io/ip-family': 'IPv4' } },
    spec: { parentRef: { group: '', resource: 'services', namespace: 'ns', name } },
  });
const taken = ({ registry }: Server): readonly string[] =>
  registry.objects.list(addresses).map((a) => `${a.metadata?.name} ${a.spec?.parentRef?.name}`);
const isFree = async (s: Server, port: number): Promise<boolean> => {
  try {
    await s.deps.ports.allocate(port, true);
    return true;
  } catch {
    return false;
  }
};

describe('the repair of what Services have', () => {
  it('marks as taken what Services have, and says so', async () => {
    const s = await server(createMemoryStore());
    await put(s, 'a', '10.96.0.7', 30_005);
    await repairOnce(s.state, s.deps);
    expect(taken(s)).toEqual(['10.96.0.7 a']);
    expect(await isFree(s, 30_005)).toBe(false);
    expect(s.said).toEqual([
      'a ClusterIPNotAllocated: Cluster IP [IPv4]: 10.96.0.7 is not allocated; repairing',
      'a PortNotAllocated: Port 30005 is not allocated; repairing',
    ]);
  });
  it('tells of what two Services have, and of what is out of range, once', async () => {
    const s = await server(createMemoryStore());
    await put(s, 'a', '10.96.0.7', 30_005);
    await put(s, 'b', '10.96.0.7', 30_005);
    await put(s, 'c', '192.0.2.1', 31_000);
    await take(s, '10.96.0.7', 'b');
    for (let i = 0; i < 2; i++) await repairOnce(s.state, s.deps);
    expect(s.said.sort()).toEqual([
      'a ClusterIPAlreadyAllocated: Cluster IP [IPv4]:10.96.0.7 was assigned to multiple services; please recreate service',
      'a PortNotAllocated: Port 30005 is not allocated; repairing',
      'b PortAlreadyAllocated: Port 30005 was assigned to multiple services; please recreate service',
      'c ClusterIPOutOfRange: Cluster IP [IPv4]: 192.0.2.1 is not within any configured Service CIDR; please recreate service',
      'c PortOutOfRange: Port 31000 is not within the port range 30000-30031; please recreate service',
    ]);
  });
  it('corrects an address that names another Service', async () => {
    const s = await server(createMemoryStore());
    await put(s, 'a', '10.96.0.7');
    await take(s, '10.96.0.7', 'gone');
    await repairOnce(s.state, s.deps);
    expect(taken(s)).toEqual(['10.96.0.7 a']);
    expect(s.said).toEqual(['a ClusterIPNotAllocated: the ClusterIP [IPv4]: 10.96.0.7 for Service ns/a has a wrong reference; repairing']);
  });
  it('frees what nobody has, after three looks', async () => {
    const s = await server(createMemoryStore());
    await take(s, '10.96.0.9', 'gone');
    await s.deps.ports.allocate(30_009, false);
    for (let i = 0; i < 2; i++) await repairOnce(s.state, s.deps);
    expect([taken(s).length, await isFree(s, 30_009)]).toEqual([1, false]);
    await repairOnce(s.state, s.deps);
    expect([taken(s).length, await isFree(s, 30_009)]).toEqual([0, true]);
    expect(s.said).toEqual([
      '10.96.0.9 IPAddressNotAllocated: IPAddress: 10.96.0.9 for Service ns/gone appears to have leaked: cleaning up',
    ]);
  });
  it('by two servers frees nothing that was given out anew between their looks', async () => {
    const store = createMemoryStore();
    const [one, two] = [await server(store), await server(store)];
    await take(one, '10.96.0.9', 'gone');
    await one.deps.ports.allocate(30_009, false);
    for (const s of [one, two]) for (let i = 0; i < 2; i++) await repairOnce(s.state, s.deps);
    await repairOnce(one.state, one.deps);
    // The first has freed both; they are somebody's now, whose Service is on its way.
    await take(one, '10.96.0.9', 'new');
    await one.deps.ports.allocate(30_009, false);
    await repairOnce(two.state, two.deps);
    expect(taken(one)).toEqual(['10.96.0.9 new']);
    expect(await isFree(one, 30_009)).toBe(false);
  });
});
