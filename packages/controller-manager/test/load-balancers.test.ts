import { event, ipAddress, node, service, type Service } from '@skiff/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestCluster, type TestCluster } from './support/cluster.ts';
import { until } from './support/until.ts';

const loadBalancer = (namespace: string, name: string, port = 80, more: Partial<NonNullable<Service['spec']>> = {}): Service => ({
  metadata: { namespace, name },
  spec: { type: 'LoadBalancer', selector: { app: name }, ports: [{ port }], ...more },
});
const ingressOf = (s: Service | undefined): readonly string[] => (s?.status?.loadBalancer?.ingress ?? []).map((i) => `${i.ip} ${i.ipMode}`);
const finalizer = 'service.kubernetes.io/load-balancer-cleanup';

async function startWithAddresses(loadBalancerCidrs: readonly string[]): Promise<TestCluster> {
  const cluster = await startTestCluster({ config: { loadBalancerCidrs } });
  await until(cluster.client, node, { holds: (all) => all.length === 2 && all.every((n) => (n.status?.conditions ?? []).length > 0) });
  for (const [i, name] of ['node-1', 'node-2'].entries()) {
    const addresses = [{ type: 'InternalIP', address: `192.0.2.${i + 1}` }];
    await cluster.client.patch(node, { name }, { type: 'strategic', subresource: 'status', body: { status: { addresses } } });
  }
  return cluster;
}
/** Waits until the Service `name` is as told; resolves with it. */
async function settle(cluster: TestCluster, namespace: string, name: string, holds: (s: Service) => boolean): Promise<Service> {
  const all = await until(cluster.client, service, { namespace, holds: (list) => list.some((s) => s.metadata?.name === name && holds(s)) });
  return all.find((s) => s.metadata?.name === name) ?? {};
}
const reasons = async (cluster: TestCluster, namespace: string, name: string, wanted: string): Promise<readonly string[]> =>
  (
    await until(cluster.client, event, {
      namespace,
      holds: (all) => all.some((e) => e.involvedObject.name === name && e.reason === wanted),
    })
  )
    .filter((e) => e.involvedObject.name === name)
    .map((e) => e.reason ?? '');

describe('load balancers with a pool of addresses', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    // The second node's address lies in the pool and is none of it.
    cluster = await startWithAddresses(['192.0.2.2-192.0.2.4']);
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it('get an address each until there is none, and wait for one to be given back', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    for (const name of ['a', 'b']) await client.create(service, loadBalancer(namespace, name));
    const a = await settle(cluster, namespace, 'a', (s) => ingressOf(s).length > 0);
    const b = await settle(cluster, namespace, 'b', (s) => ingressOf(s).length > 0);
    expect([...ingressOf(a), ...ingressOf(b)].sort()).toEqual(['192.0.2.3 VIP', '192.0.2.4 VIP']);
    expect(a.metadata?.finalizers).toEqual([finalizer]);
    expect(await reasons(cluster, namespace, 'a', 'EnsuredLoadBalancer')).toContain('EnsuringLoadBalancer');

    await client.create(service, loadBalancer(namespace, 'c'));
    const waiting = await settle(cluster, namespace, 'c', (s) => (s.status?.conditions ?? []).length > 0);
    expect(waiting.status?.conditions).toMatchObject([{ type: 'LoadBalancerReady', status: 'False', reason: 'NoFreeAddress' }]);
    await reasons(cluster, namespace, 'c', 'SyncLoadBalancerFailed');

    await client.delete(service, { namespace, name: 'a' });
    const c = await settle(cluster, namespace, 'c', (s) => ingressOf(s).length > 0);
    expect(ingressOf(c)).toEqual(ingressOf(a));
    expect(c.status?.conditions ?? []).toEqual([]);
    await reasons(cluster, namespace, 'a', 'DeletedLoadBalancer');

    // Another type: the address goes back and nothing keeps the Service.
    await client.patch(service, { namespace, name: 'b' }, { type: 'merge', body: { spec: { type: 'ClusterIP' } } });
    await settle(cluster, namespace, 'b', (s) => (s.metadata?.finalizers ?? []).length === 0 && ingressOf(s).length === 0);
    await client.delete(service, { namespace, name: 'c' });
    await until(client, ipAddress, { holds: (all) => all.every((i) => !i.metadata?.name?.startsWith('192.0.2.')) });
  });

  it('get the address they ask for, of a class of theirs none, and node ports only if they want', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(service, loadBalancer(namespace, 'classy', 80, { loadBalancerClass: 'example.com/other' }));
    await client.create(
      service,
      loadBalancer(namespace, 'first', 80, { loadBalancerIP: '192.0.2.4', allocateLoadBalancerNodePorts: false }),
    );
    const first = await settle(cluster, namespace, 'first', (s) => ingressOf(s).length > 0);
    expect(ingressOf(first)).toEqual(['192.0.2.4 VIP']);
    expect(first.spec?.ports?.[0]?.nodePort ?? 0).toBe(0);
    await client.create(service, loadBalancer(namespace, 'second', 80, { loadBalancerIP: '192.0.2.4' }));
    const second = await settle(cluster, namespace, 'second', (s) => (s.status?.conditions ?? []).length > 0);
    expect(second.status?.conditions?.[0]?.message).toBe(`192.0.2.4 (spec.loadBalancerIP) is taken by Service ${namespace}/first`);
    await client.create(service, loadBalancer(namespace, 'third', 80, { loadBalancerIP: '192.0.2.2' }));
    const third = await settle(cluster, namespace, 'third', (s) => (s.status?.conditions ?? []).length > 0);
    expect(third.status?.conditions?.[0]?.message).toContain('is not in the pool');
    const classy = await client.get(service, { namespace, name: 'classy' });
    expect([ingressOf(classy), classy.metadata?.finalizers ?? []]).toEqual([[], []]);
    // A change of mind moves it.
    await client.patch(service, { namespace, name: 'first' }, { type: 'merge', body: { spec: { loadBalancerIP: '192.0.2.3' } } });
    await settle(cluster, namespace, 'second', (s) => ingressOf(s)[0] === '192.0.2.4 VIP');
    await settle(cluster, namespace, 'first', (s) => ingressOf(s)[0] === '192.0.2.3 VIP');
    await client.deleteCollection(service, namespace);
  });
});

describe("load balancers on the nodes' own addresses", () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startWithAddresses([]);
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it('are reached at every ready node, one Service at a port', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(service, loadBalancer(namespace, 'a'));
    await settle(cluster, namespace, 'a', (s) => ingressOf(s).join() === '192.0.2.1 Proxy,192.0.2.2 Proxy');
    await client.create(service, loadBalancer(namespace, 'b'));
    const b = await settle(cluster, namespace, 'b', (s) => (s.status?.conditions ?? []).length > 0);
    expect(b.status?.conditions?.[0]).toMatchObject({
      reason: 'PortConflict',
      message: expect.stringContaining(`${namespace}/a`) as string,
    });

    const label = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
    await client.patch(node, { name: 'node-1' }, { type: 'merge', body: { metadata: { labels: label } } });
    await settle(cluster, namespace, 'a', (s) => ingressOf(s).join() === '192.0.2.2 Proxy');
    await client.delete(service, { namespace, name: 'a' });
    await settle(cluster, namespace, 'b', (s) => ingressOf(s).join() === '192.0.2.2 Proxy');
    await client.delete(service, { namespace, name: 'b' });
  });
});
