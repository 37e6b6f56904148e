import { FakeClock, silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import type { PodSpec } from '@skiff/api';
import { createFakeNode, fakePod, type FakeNode, snapshot } from '../pod/pod-context.fixture.ts';
import type { PodWorker } from '../pod/pod-worker.ts';
import type { NodeUsage } from '../stats/node-usage.ts';
import type { PodUsage } from '../stats/pod-usage.ts';
import { createEvictionManager, type EvictionConfig, type Measuring } from './eviction-manager.ts';
import { parseThresholds } from './signals.ts';

const mi = 1024 ** 2;
const noUsage: PodUsage = { memoryBytes: 0, processes: 0, containers: new Map(), volumes: new Map() };

function start(node: FakeNode, over: Partial<EvictionConfig> = {}) {
  const workers: Pick<PodWorker, 'pod' | 'state' | 'evict' | 'ended'>[] = [];
  const usage = new Map<string, PodUsage>();
  const measured: Measuring[] = [];
  const free = { memory: 5000, disk: 90, reclaimed: 0, perVictim: 0, full: false };
  const events: string[] = [];
  const stop = new AbortController();
  const manager = createEvictionManager(
    {
      thresholds: parseThresholds({
        hard: { 'memory.available': '100Mi', 'nodefs.available': '10%' },
        soft: {},
        softGracePeriod: {},
        minimumReclaim: {},
      }),
      transitionMs: 300_000,
      maxPodGraceSeconds: 0,
      ...over,
    },
    {
      usage: async () =>
        ({
          machine: {
            memoryAvailableBytes: free.memory * mi,
            memoryCapacityBytes: 8000 * mi,
            diskAvailableBytes: free.disk,
            diskCapacityBytes: 100,
            diskFreeBytes: 0,
            diskInodes: 0,
            diskInodesFree: 0,
            pidsMax: 100,
            swapBytes: 0,
            hugePages: new Map(),
            pidsUsed: 1,
          },
          imageFs: undefined,
          dedicatedImageFs: false,
        }) satisfies NodeUsage,
      workers: () => workers,
      measure: async (pods, what) => {
        measured.push(what);
        return new Map(pods.map((p) => [p.metadata.uid, usage.get(p.metadata.uid) ?? noUsage]));
      },
      reclaimDisk: async () => {
        if (free.full) throw new Error('ENOSPC: no space left on device');
        free.disk += free.reclaimed;
      },
      event: (pod, message) => void events.push(`${pod.metadata.name}: ${message}`),
      nodeEvent: (reason, message) => void events.push(`${reason}: ${message}`),
      onChange: () => void events.push(`conditions: ${[...manager.conditions()].join(' ')}`),
      evicted: () => void (free.memory += free.perVictim),
      clock: node.clock,
      log: silentLogger,
    },
  );
  const running = manager.run(stop.signal);
  return {
    manager,
    usage,
    measured,
    free,
    events,
    workers,
    run: async (name: string, spec: Partial<PodSpec> = {}) => {
      workers.push(node.start(fakePod(spec, { name, uid: name })));
      await node.settle();
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error('the test is over'));
      await running;
    },
  };
}

describe('the eviction manager', () => {
  it('ends the pod that takes the most beyond its request, with one second of grace, and says so', async () => {
    await using node = createFakeNode();
    await using e = start(node);
    await e.run('small');
    await e.run('large');
    e.usage.set('small', { ...noUsage, memoryBytes: 10 * mi }).set('large', { ...noUsage, memoryBytes: 900 * mi });
    Object.assign(e.free, { memory: 50, perVictim: 900 });
    await node.settle(10_000);
    await node.settle(4000);
    expect(node.status('large')).toMatchObject({ phase: 'Failed', reason: 'Evicted' });
    expect(node.status('large')?.message).toBe('The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ');
    expect(node.status('large')?.conditions?.find((c) => c.type === 'DisruptionTarget')).toMatchObject({
      status: 'True',
      reason: 'TerminationByKubelet',
    });
    expect(node.status('small')?.phase).toBe('Running');
    expect(e.events.slice(0, 2)).toEqual(['conditions: MemoryPressure', 'EvictionThresholdMet: Attempting to reclaim memory']);
    expect([...e.manager.conditions()]).toEqual(['MemoryPressure']);
    await node.settle(400_000);
    expect([...e.manager.conditions()]).toEqual([]);
  });

  it('leaves critical pods', async () => {
    await using node = createFakeNode();
    await using e = start(node);
    await e.run('critical', { priority: 2_000_000_000 });
    e.free.memory = 50;
    await node.settle(20_000);
    expect(node.status('critical')?.phase).toBe('Running');
  });

  it('gives up images before pods', async () => {
    await using node = createFakeNode();
    await using e = start(node);
    await e.run('p');
    Object.assign(e.free, { disk: 5, reclaimed: 50 });
    await node.settle(20_000);
    expect(node.status('p')?.phase).toBe('Running');
    expect(e.free.disk).toBe(55);
    expect(e.measured.filter((m) => m.disk)).toEqual([]);
  });

  it('ends pods on a disk that is so full that nothing can be cleaned up', async () => {
    await using node = createFakeNode();
    await using e = start(node);
    await e.run('p');
    Object.assign(e.free, { disk: 0, full: true });
    await node.settle(10_000);
    await node.settle(4000);
    expect(node.status('p')).toMatchObject({ phase: 'Failed', reason: 'Evicted' });
  });

  it('turns to another pod when the first one does not come to its end', async () => {
    await using node = createFakeNode();
    await using e = start(node);
    const asked: string[] = [];
    for (const name of ['large', 'small']) {
      const stuck: Pick<PodWorker, 'pod' | 'state' | 'evict' | 'ended'> = {
        pod: snapshot(fakePod({}, { name, uid: name })),
        state: { phase: 'syncing' },
        evict: () => void asked.push(name),
        ended: new Promise(() => undefined),
      };
      e.workers.push(stuck);
    }
    e.usage.set('small', { ...noUsage, memoryBytes: 10 * mi }).set('large', { ...noUsage, memoryBytes: 900 * mi });
    e.free.memory = 50;
    for (let i = 0; i < 12; i += 1) await node.settle(10_000);
    expect(asked).toEqual(['large', 'small']);
  });

  it('ends pods beyond their own limits, and measures no others', async () => {
    await using node = createFakeNode({ clock: new FakeClock() });
    await using e = start(node);
    await e.run('unlimited');
    await node.settle(60_000);
    expect(e.measured).toEqual([]);
    await e.run('limited', { volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Mi' } }] });
    e.usage.set('limited', { ...noUsage, volumes: new Map([['v', 2 * mi]]) });
    await node.settle(15_000);
    expect(node.status('limited')).toMatchObject({ phase: 'Failed', reason: 'Evicted' });
    expect(node.status('limited')?.message).toContain('Usage of EmptyDir volume "v" exceeds the limit "1Mi"');
  });
});
