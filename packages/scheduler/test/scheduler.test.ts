import { setMaxListeners } from 'node:events';
import type { Event, Node, Pod } from '@skiff/api';
import { createClient, createEventRecorder, createInformerFactory } from '@skiff/client';
import { silentLogger, systemClock } from '@skiff/component-base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFakeApiserver, type FakeApiserver } from '../../client/src/fake-apiserver.ts';
import { node, pod, type PodParts } from '../src/framework/test-objects.ts';
import { createSchedulerMetrics } from '../src/metrics.ts';
import { createScheduler, type Scheduler } from '../src/scheduler.ts';

const pods = '/api/v1/namespaces/default/pods';

/** The scheduler with real informers over real HTTP, against an apiserver that knows nothing but objects and bindings. */
describe('scheduler', () => {
  let server: FakeApiserver;
  let stop: AbortController;
  let running: Promise<unknown>;
  let scheduler: Scheduler;
  let close: () => void;
  let failBindings: number;

  beforeEach(async () => {
    server = await startFakeApiserver();
    failBindings = 0;
    server.intercept = ({ method, path, stream }) => {
      const match = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/binding$/.exec(path);
      if (method !== 'POST' || match === null) return false;
      stream.respond({ ':status': failBindings-- > 0 ? 500 : 201, 'content-type': 'application/json' });
      stream.end('{"kind":"Status","apiVersion":"v1","status":"Success"}');
      return true;
    };
    stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const client = createClient({ servers: [server.url] });
    const deps = { client, clock: systemClock, log: silentLogger };
    const events = createEventRecorder({ component: 'default-scheduler' }, deps);
    const informers = createInformerFactory({ freeze: true }, deps);
    scheduler = createScheduler(
      { initialBackoffMs: 20, maxBackoffMs: 50 },
      { ...deps, informers, events, metrics: createSchedulerMetrics(), random: () => 0 },
    );
    running = Promise.all([scheduler.run(stop.signal), events.run(stop.signal)]);
    close = () => client.close();
  });
  afterEach(async () => {
    stop.abort();
    await running;
    close();
    await server[Symbol.asyncDispose]();
  });

  const addNode = (n: Node): void => void server.put('/api/v1/nodes', n);
  const addPod = (parts: PodParts): Pod => server.put(pods, pod(parts)) as Pod;
  const bindings = (): string[] => server.requests.filter((r) => r.endsWith('/binding'));
  const eventsOf = (name: string): string[] =>
    (server.objects('events') as Event[]).filter((e) => e.involvedObject.name === name).map((e) => `${e.reason}: ${e.message}`);

  it('binds a pod and says so', async () => {
    addNode(node('n'));
    addPod({ name: 'a' });
    await expect.poll(() => eventsOf('a')).toEqual(['Scheduled: Successfully assigned default/a to n']);
    expect(bindings()).toEqual([`POST ${pods}/a/binding`]);
  });

  it('leaves pods of other schedulers and bound pods alone', async () => {
    addNode(node('n'));
    addPod({ name: 'other', spec: { schedulerName: 'other' } });
    addPod({ name: 'bound', spec: { nodeName: 'n' } });
    addPod({ name: 'mine' });
    await expect.poll(() => eventsOf('mine')).toHaveLength(1);
    expect(bindings()).toEqual([`POST ${pods}/mine/binding`]);
  });

  it('tells why a pod waits, in its status, in an event and on being asked, and places it when a node comes', async () => {
    addNode(node('small', { allocatable: { cpu: '1', memory: '1Gi', pods: '9' } }));
    addPod({ name: 'big', requests: { cpu: '2' } });
    const message =
      '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.';
    await expect.poll(() => eventsOf('big')).toEqual([`FailedScheduling: ${message}`]);
    const status = (): Pod['status'] => (server.objects('pods') as Pod[]).find((p) => p.metadata?.name === 'big')?.status;
    await expect
      .poll(() => status()?.conditions)
      .toMatchObject([{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }]);
    expect(scheduler.explain({ namespace: 'default', name: 'big' })).toMatchObject({
      place: 'unschedulable',
      waitsFor: ['NodeResourcesFit'],
      nodes: { small: { plugin: 'NodeResourcesFit', reasons: [{ numbers: { requested: 2000, used: 0, capacity: 1000 } }] } },
    });
    addNode(node('large'));
    await expect.poll(() => bindings()).toEqual([`POST ${pods}/big/binding`]);
  });

  it('counts what it has decided before the apiserver tells it', async () => {
    addNode(node('n', { allocatable: { cpu: '1', memory: '1Gi', pods: '9' } }));
    addPod({ name: 'first', requests: { cpu: '1' } });
    addPod({ name: 'second', requests: { cpu: '1' } });
    await expect.poll(() => eventsOf('second')[0]).toMatch('1 Insufficient cpu');
    expect(bindings()).toEqual([`POST ${pods}/first/binding`]);
  });

  it('tries again when a binding fails', async () => {
    failBindings = 2;
    addNode(node('n'));
    addPod({ name: 'a' });
    await expect.poll(() => eventsOf('a')).toContain('Scheduled: Successfully assigned default/a to n');
    expect(bindings()).toHaveLength(3);
  });

  it('makes room for the more important', async () => {
    addNode(node('n', { allocatable: { cpu: '1', memory: '1Gi', pods: '9' } }));
    addPod({ name: 'victim', requests: { cpu: '1' }, spec: { nodeName: 'n', priority: 1 } });
    const preemptor = addPod({ name: 'preemptor', requests: { cpu: '1' }, spec: { priority: 10 } });
    await expect.poll(() => bindings()).toEqual([`POST ${pods}/preemptor/binding`]);
    expect((server.objects('pods') as Pod[]).map((p) => p.metadata?.name)).toEqual(['preemptor']);
    await expect.poll(() => eventsOf('victim')).toEqual([`Preempted: Preempted by pod ${preemptor.metadata?.uid ?? ''} on node n`]);
  });

  it('goes on after its connections break', async () => {
    addNode(node('n'));
    addPod({ name: 'a' });
    await expect.poll(() => bindings()).toHaveLength(1);
    server.dropConnections();
    addPod({ name: 'b' });
    await expect.poll(() => bindings()).toContain(`POST ${pods}/b/binding`);
  });
});
