import type { Lease, Node, Pod } from '@skiff/api';
import { notFound, type KubeObject } from '@skiff/apimachinery';
import type { Client, InformerFactory } from '@skiff/client';
import { FakeClock, formatMicroTime, silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../config.ts';
import type { RunContext } from '../descriptor.ts';
import { NodeMonitor } from './node-monitor.ts';

const signal = new AbortController().signal;

/** Nodes with their Leases and pods in memory, behind as much of a client and of informers as the monitor uses. */
class World {
  readonly clock = new FakeClock();
  readonly #objects = { nodes: new Map<string, Node>(), leases: new Map<string, Lease>(), pods: new Map<string, Pod>() };
  #revision = 1;
  /** Every access fails. */
  down = false;
  /** Informers show the state of when it was set. */
  deaf = false;
  readonly #cache = new Map<string, KubeObject[]>();
  readonly events: string[] = [];
  leaseSeconds = 40;
  readonly monitor: NodeMonitor;

  constructor(names: readonly string[], elected: boolean) {
    if (elected) this.#put('leases', 'kube-controller-manager', { metadata: { name: 'kube-controller-manager' } });
    for (const name of names) {
      this.#put('nodes', name, {
        metadata: { name, uid: `uid-${name}` },
        status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: 'start' }] },
      } as Node);
      this.beat(name);
      this.#put('pods', `p-${name}`, {
        metadata: { name: `p-${name}`, namespace: 'ns', uid: `pod-${name}` },
        spec: { nodeName: name, containers: [] },
        status: { conditions: [{ type: 'Ready', status: 'True' }] },
      } as Pod);
    }
    const access = <T>(work: () => T): Promise<T> =>
      this.down ? Promise.reject(new Error('connection refused')) : Promise.resolve(work());
    const table = (plural: string): Map<string, KubeObject> => this.#objects[plural as 'nodes'];
    const found = (plural: string, name: string): KubeObject => {
      const object = table(plural).get(name);
      if (object === undefined) throw notFound({ group: '', resource: plural }, name);
      return structuredClone(object);
    };
    const client = {
      get: (r: { plural: string }, key: { name: string }) => access(() => found(r.plural, key.name)),
      create: (r: { plural: string }, o: KubeObject) => access(() => this.#put(r.plural, o.metadata?.name ?? '', o)),
      update: (r: { plural: string }, o: KubeObject) => access(() => this.#put(r.plural, o.metadata?.name ?? '', o)),
      patch: (r: { plural: string }, key: { name: string }, patch: { body: { spec?: object; status?: object } }) =>
        access(() => {
          const object = found(r.plural, key.name) as Node;
          return this.#put(r.plural, key.name, {
            ...object,
            spec: { ...object.spec, ...patch.body.spec },
            status: { ...object.status, ...patch.body.status },
          } as Node);
        }),
    };
    const list = (plural: string): KubeObject[] => {
      if (!this.deaf) this.#cache.set(plural, structuredClone([...table(plural).values()]));
      return this.#cache.get(plural) ?? [];
    };
    const informers = {
      informer: (r: { plural: string }) => ({
        list: () => list(r.plural),
        get: (key: { name: string }) => list(r.plural).find((o) => o.metadata?.name === key.name),
        byIndex: (_index: string, value: string) => list(r.plural).filter((o) => (o as Pod).spec?.nodeName === value),
        addIndex: () => undefined,
        synced: Promise.resolve(),
      }),
    };
    const context: RunContext = {
      config: { ...defaultConfig, leaderElection: { ...defaultConfig.leaderElection, elected } },
      clock: this.clock,
      log: silentLogger,
      client: client as unknown as Client,
      informers: informers as unknown as InformerFactory,
      events: { event: (_about, _type, reason, message) => void this.events.push(`${reason}: ${message}`) },
    };
    this.monitor = new NodeMonitor(context);
  }
  #put(plural: string, name: string, object: KubeObject): KubeObject {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#revision++ + 1000) } };
    (this.#objects[plural as 'nodes'] as Map<string, KubeObject>).set(name, stored);
    return stored;
  }
  beat(...names: readonly string[]): void {
    for (const name of names) {
      this.#put('leases', name, {
        metadata: { name, namespace: 'kube-node-lease' },
        spec: { renewTime: formatMicroTime(this.clock.now()), leaseDurationSeconds: this.leaseSeconds },
      } as Lease);
      const node = this.#objects.nodes.get(name);
      if (node !== undefined && this.condition(name).status !== 'True') this.report(name, 'True');
    }
  }
  /** What the kubelet says of itself. */
  report(name: string, status: string): void {
    const node = this.#objects.nodes.get(name);
    const condition = { type: 'Ready', status, lastHeartbeatTime: String(this.clock.now()) };
    this.#put('nodes', name, { ...node, status: { conditions: [condition] } } as Node);
  }
  condition(name: string): { status: string; reason?: string; message?: string } {
    return this.#objects.nodes.get(name)?.status?.conditions?.find((c) => c.type === 'Ready') ?? { status: '' };
  }
  taints(name: string): string[] {
    return (this.#objects.nodes.get(name)?.spec?.taints ?? []).map((t) => `${t.key.slice('node.kubernetes.io/'.length)}:${t.effect}`);
  }
  podReady(name: string): string | undefined {
    return this.#objects.pods.get(`p-${name}`)?.status?.conditions?.find((c) => c.type === 'Ready')?.status;
  }
  setPodReady(name: string): void {
    const pod = this.#objects.pods.get(`p-${name}`);
    this.#put('pods', `p-${name}`, { ...pod, status: { conditions: [{ type: 'Ready', status: 'True' }] } } as Pod);
  }
  /** Lets time pass as the controller does: a look every period. Nodes that are `alive` renew before each. */
  async pass(seconds: number, alive: readonly string[]): Promise<void> {
    for (let left = seconds; left > 0; left -= 5) {
      await this.clock.advance(5000);
      this.beat(...alive);
      await this.monitor.tick(signal);
    }
  }
}

async function startWorld(...names: string[]): Promise<World> {
  const world = new World(names, false);
  await world.monitor.tick(signal);
  return world;
}

describe('NodeMonitor', () => {
  it('marks a silent node after the grace period, takes its pods out of service and taints it', async () => {
    const world = await startWorld('a', 'b', 'c');
    await world.pass(50, ['a', 'b']);
    expect(world.condition('c').status).toBe('True');
    await world.pass(5, ['a', 'b']);
    expect(world.condition('c')).toMatchObject({
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    });
    await world.pass(5, ['a', 'b']);
    expect(world.podReady('c')).toBe('False');
    expect(world.podReady('a')).toBe('True');
    expect(world.taints('c')).toEqual(['unreachable:NoSchedule', 'unreachable:NoExecute']);
    expect(world.events).toContain('NodeNotReady: Node is not ready');
    await world.pass(5, ['a', 'b', 'c']);
    await world.pass(5, ['a', 'b', 'c']);
    expect(world.taints('c')).toEqual([]);
  });

  it('waits until the Lease of a node has run out', async () => {
    const world = await startWorld('a', 'b');
    world.leaseSeconds = 80;
    world.beat('b');
    await world.pass(80, ['a']);
    expect(world.condition('b').status).toBe('True');
    await world.pass(10, ['a']);
    expect(world.condition('b').status).toBe('Unknown');
  });

  it('wakes when the next node may be overdue', async () => {
    const world = await startWorld('a', 'b');
    await world.pass(45, ['a']);
    await world.clock.advance(2000);
    world.beat('a');
    expect(await world.monitor.tick(signal)).toBe(3001);
  });

  it.each([true, false])('does not count time in which the API did not work; elected: %s', async (elected) => {
    const world = new World(['a'], elected);
    await world.monitor.tick(signal);
    world.down = true;
    for (let i = 0; i < 60; i++) {
      await world.clock.advance(5000);
      await world.monitor.tick(signal);
    }
    world.down = false;
    await world.pass(20, []);
    expect(world.condition('a').status).toBe('True');
    await world.pass(40, []);
    expect(world.condition('a').status).toBe('Unknown');
  });

  it('does not count time in which it was stopped itself', async () => {
    const world = await startWorld('a', 'b');
    await world.clock.advance(600_000);
    await world.monitor.tick(signal);
    await world.pass(5, ['a', 'b']);
    expect([world.condition('a').status, world.condition('b').status]).toEqual(['True', 'True']);
  });

  it('reads from the API before it blames a node: a cache that has gone deaf marks none', async () => {
    const world = await startWorld('a', 'b', 'c');
    world.deaf = true;
    await world.pass(300, ['a', 'b', 'c']);
    expect(['a', 'b', 'c'].map((n) => world.condition(n).status)).toEqual(['True', 'True', 'True']);
    expect(world.podReady('a')).toBe('True');
  });

  it('leaves pods alone when all nodes are silent at once, and begins anew afterwards', async () => {
    const world = await startWorld('a', 'b', 'c');
    await world.pass(150, []);
    expect(world.condition('a').status).toBe('True');
    await world.pass(15, []);
    expect(['a', 'b', 'c'].map((n) => world.condition(n).status)).toEqual(['Unknown', 'Unknown', 'Unknown']);
    expect(['a', 'b', 'c'].map((n) => world.podReady(n))).toEqual(['True', 'True', 'True']);
    expect(world.taints('a')).toEqual(['unreachable:NoSchedule']);
    // One comes back: the others get a whole grace period.
    await world.pass(10, ['a']);
    expect(world.taints('a')).toEqual([]);
    await world.pass(10, ['a']);
    expect(world.taints('b')).toContain('unreachable:NoExecute');
    expect(world.podReady('b')).toBe('False');
  });

  it('knows that all are silent when their last signs of life lie apart', async () => {
    const world = await startWorld('a', 'b', 'c');
    await world.pass(5, ['b', 'c']);
    await world.pass(5, ['c']);
    await world.pass(100, []);
    expect(['a', 'b', 'c'].map((n) => world.condition(n).status)).toEqual(['True', 'True', 'True']);
    await world.pass(60, []);
    expect(['a', 'b', 'c'].map((n) => world.condition(n).status)).toEqual(['Unknown', 'Unknown', 'Unknown']);
    expect(['a', 'b', 'c'].map((n) => world.podReady(n))).toEqual(['True', 'True', 'True']);
  });

  it('goes on evicting from a dead node while the others are silent for a little', async () => {
    const world = await startWorld('a', 'b', 'c');
    await world.pass(60, ['a', 'b']);
    expect(world.taints('c')).toContain('unreachable:NoExecute');
    await world.pass(40, []);
    expect(world.taints('c')).toContain('unreachable:NoExecute');
    await world.pass(15, []);
    expect(world.taints('c')).toEqual(['unreachable:NoSchedule']);
    expect(world.condition('a').status).toBe('True');
  });

  it('taints one node after the other', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `n${i}`);
    const world = await startWorld(...names);
    const alive = names.slice(4);
    await world.pass(60, alive);
    const tainted = (): number => names.filter((n) => world.taints(n).includes('unreachable:NoExecute')).length;
    expect(tainted()).toBe(1);
    expect(names.filter((n) => world.taints(n).includes('unreachable:NoSchedule'))).toHaveLength(4);
    await world.pass(10, alive);
    expect(tainted()).toBe(2);
    await world.pass(20, alive);
    expect(tainted()).toBe(4);
  });

  it('stops evicting in a small zone of which most nodes are down', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const world = await startWorld(...names);
    await world.pass(120, ['a', 'b']);
    expect(names.map((n) => world.taints(n).includes('unreachable:NoExecute'))).toEqual([false, false, false, false, false]);
    expect(world.podReady('c')).toBe('False');
  });

  it('marks pods of a node that says itself that it is not ready once only; its kubelet may disagree', async () => {
    const world = await startWorld('a', 'b');
    world.report('b', 'False');
    await world.monitor.tick(signal);
    expect(world.podReady('b')).toBe('False');
    expect(world.taints('b')).toEqual(['not-ready:NoSchedule', 'not-ready:NoExecute']);
    world.setPodReady('b');
    await world.monitor.tick(signal);
    expect(world.podReady('b')).toBe('True');
    // Silent now: it can't disagree any more, and the taints change at once.
    await world.pass(65, ['a']);
    expect(world.podReady('b')).toBe('False');
    expect(world.taints('b')).toEqual(['unreachable:NoSchedule', 'unreachable:NoExecute']);
  });
});
