import { type EndpointSlice, endpointSlice, type Lease, lease, type Pod, pod } from '@skiff/api';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { joined, startTestNode, startTunnelServer, type TestNode, type TunnelServer } from './tunnel-server.ts';

let server: TunnelServer;
let first: TestNode;
let second: TestNode;
const asked: string[] = [];
/** What the second node's proxy does when it is asked. */
let answer: (address: string) => Promise<number> = async () => 0;

const leaseOf = (name: string, ageMs: number): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { namespace: 'kube-node-lease', name },
  spec: { leaseDurationSeconds: 1000, renewTime: new Date(Date.now() - ageMs).toISOString() },
});
const podNamed = (name: string, o: { hostNetwork?: boolean } = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'a' },
  spec: { nodeName: 'n1', containers: [{ name: 'c' }], ...o } as NonNullable<Pod['spec']>,
  status: { podIPs: [{ ip: '10.244.1.5' }, { ip: 'fd00::5' }] },
});
const sliceFor = (name: string, uids: readonly string[]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'a' },
  addressType: 'IPv4',
  endpoints: uids.map((uid) => ({ addresses: ['10.244.1.5'], targetRef: { kind: 'Pod', uid }, conditions: { ready: true } })),
});
const markLeaving = (name: string) =>
  server.objects.update<EndpointSlice>(endpointSlice, 'a', name, (s) => ({
    ...s,
    endpoints: (s.endpoints ?? []).map((e) => ({ ...e, conditions: { ready: false, terminating: true } })),
  }));
const drain = (podName: string, o: { uid?: string; chooseTimeoutMs?: number; lingerMs?: number; by?: TestNode } = {}) =>
  (o.by ?? first).channel.drain(
    {
      podNamespace: 'a',
      podName,
      podUid: o.uid ?? `uid-${podName}`,
      chooseTimeoutMs: o.chooseTimeoutMs ?? 15_000,
      lingerMs: o.lingerMs ?? 0,
    },
    20_000,
  );

beforeAll(async () => {
  server = await startTunnelServer();
  const node = async (name: string, drained: (address: string) => Promise<number>): Promise<TestNode> => {
    const started = startTestNode({ ...server, identity: await server.node(name), drained });
    await started.welcome;
    await joined(server, name);
    return started;
  };
  const note = (name: string) => async (address: string) => {
    asked.push(`${name} ${address}`);
    return name === 'n2' ? await answer(address) : 0;
  };
  first = await node('n1', note('n1'));
  second = await node('n2', note('n2'));
  await node('stale', note('stale'));
  for (const [name, ageMs] of [
    ['n1', 0],
    ['n2', 1000],
    ['stale', 1_001_000],
  ] as const)
    await server.objects.create(lease, leaseOf(name, ageMs));
  for (const name of ['web', 'alone', 'late', 'slow', 'open']) await server.objects.create(pod, podNamed(name));
  await server.objects.create(pod, podNamed('on-host', { hostNetwork: true }));
  for (const name of ['web', 'late', 'slow', 'open', 'on-host'])
    await server.objects.create(endpointSlice, sliceFor(name, [`uid-${name}`, 'other']));
});
afterEach(() => {
  asked.length = 0;
  answer = async () => 0;
});
afterAll(async () => {
  first.stop();
  second.stop();
  await server[Symbol.asyncDispose]();
});

describe('a drain', () => {
  it('asks the proxies of all nodes that are alive, for all addresses', async () => {
    await markLeaving('web');
    expect(await drain('web')).toEqual({ inService: true, openConnections: 0 });
    expect(asked.toSorted()).toEqual(['n1 10.244.1.5', 'n1 fd00::5', 'n2 10.244.1.5', 'n2 fd00::5']);
  });

  it('asks nobody for a pod that no slice leads to', async () => {
    expect(await drain('alone')).toEqual({ inService: false, openConnections: 0 });
    expect(asked).toEqual([]);
  });

  it('waits until the slice no longer offers the pod', async () => {
    let done = false;
    const draining = drain('late').then((r) => {
      done = true;
      return r;
    });
    await expect.poll(() => asked.length).toBe(4);
    expect(done).toBe(false);
    await markLeaving('late');
    expect(await draining).toEqual({ inService: true, openConnections: 0 });
  });

  it('does not wait for ever: neither for a slice nor for a proxy', async () => {
    answer = () => new Promise(() => undefined);
    const startedMs = performance.now();
    expect(await drain('slow', { chooseTimeoutMs: 300 })).toEqual({ inService: true, openConnections: 0 });
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThan(280);
    expect(tookMs).toBeLessThan(15_000);
  });

  it('tells how many connections are left', async () => {
    answer = async (address) => (address === '10.244.1.5' ? 3 : 0);
    await markLeaving('open');
    expect(await drain('open', { lingerMs: 100 })).toEqual({ inService: true, openConnections: 3 });
  });

  it('does not touch the address of a node', async () => {
    await markLeaving('on-host');
    expect(await drain('on-host')).toEqual({ inService: true, openConnections: 0 });
    expect(asked).toEqual([]);
  });

  it('is for the pod that is meant, and for pods of the node that asks', async () => {
    await expect(drain('web', { uid: 'another life' })).rejects.toThrow('pods "web" not found');
    await expect(drain('missing')).rejects.toThrow('pods "missing" not found');
    await expect(drain('web', { by: second })).rejects.toThrow('node "n2" can only drain its own pods');
    expect(asked).toEqual([]);
  });
});
