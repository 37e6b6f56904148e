import type { Node, NodeStatus } from '@skiff/api';
import { StatusError } from '@skiff/apimachinery';
import type { Client, Informer, InformerHandler } from '@skiff/client';
import { FakeClock, silentLogger } from '@skiff/component-base';
import type { ImageService, RuntimeService, RuntimeStatus } from '@skiff/cri';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PodNetwork } from '../network/pod-network.ts';
import { createApiContact } from './api-contact.ts';
import { computeNodeConditions } from './conditions.ts';
import { inTime } from '../host/in-time.ts';
import { createNodeReporter } from './node-reporter.ts';

const runtimeDown: RuntimeStatus = {
  ready: false,
  message: '',
  cgroupVersion: 2,
  cgroupDriver: 'cgroupfs',
  handlers: [''],
  recursiveReadOnlyMounts: false,
  supplementalGroupsPolicy: false,
  imageMounts: false,
  liveRestore: true,
};

/** An API with one Node, and an informer that hears of it at once. */
function startReporter(runtimeStatus: RuntimeService['status'] = async () => runtimeDown) {
  const clock = new FakeClock();
  const contact = createApiContact(40_000, clock);
  let stored: Node | undefined;
  let creates = 0;
  let looks = 0;
  let handler: InformerHandler<Node> = {};
  const client = {
    create: async (_r: unknown, object: Node) => {
      creates += 1;
      stored = { ...object, metadata: { ...object.metadata, uid: `uid-${creates}` } };
      return stored;
    },
    get: async () => stored,
    patch: async (_r: unknown, _key: unknown, { body }: { body: { status?: NodeStatus } }) => {
      if (stored === undefined) throw new StatusError('NotFound', 'nodes "n" not found');
      const told = body.status?.conditions ?? [];
      const kept = (stored.status?.conditions ?? []).filter((c) => !told.some((t) => t.type === c.type));
      stored = { ...stored, status: { ...stored.status, conditions: [...kept, ...told] } };
      return stored;
    },
  } as unknown as Client;
  const informer = {
    get: () => stored,
    subscribe: (h: InformerHandler<Node>) => {
      handler = h;
      return { [Symbol.dispose]: () => undefined };
    },
  } as unknown as Informer<Node>;
  const reporter = createNodeReporter(
    {
      name: 'n',
      addresses: ['10.0.0.1'],
      port: 1,
      labels: {},
      taints: [],
      resources: () => ({ capacity: {}, allocatable: {} }),
      rootDirectory: '/',
      checkIntervalMs: 10_000,
      reportIntervalMs: 300_000,
      settleMs: 40_000,
    },
    {
      client,
      informer,
      runtime: {
        status: async () => {
          looks += 1;
          return runtimeStatus();
        },
        version: async () => ({ runtimeName: 'fake', runtimeVersion: '1', apiVersion: '1' }),
      } as unknown as RuntimeService,
      images: { listImages: async () => [] } as unknown as ImageService,
      network: { status: () => ({ ready: true, message: '' }), routes: () => [] } as unknown as PodNetwork,
      events: { event: () => undefined },
      clock,
      log: silentLogger,
      resources: { capacity: {}, allocatable: {} },
      pressures: () => new Set(),
      shuttingDown: () => false,
      devices: () => new Map(),
      relistAgeMs: () => 0,
      inContactSinceMs: () => contact.sinceMs(),
      volumesInUse: async () => [],
    },
  );
  const stop = new AbortController();
  const running = reporter.register(stop.signal).then(() => reporter.run(stop.signal));
  return {
    clock,
    contact,
    creates: () => creates,
    reporter,
    deleteNode: () => {
      const old = stored;
      stored = undefined;
      if (old !== undefined) handler.onDelete?.(old);
    },
    ready: () => stored?.status?.conditions?.find((c) => c.type === 'Ready'),
    /** How often the node's state was looked at, as before each write. */
    looks: () => looks,
    stop: async () => {
      stop.abort(new Error('done'));
      await running.catch(() => undefined);
    },
  };
}

it('conditions tell of a runtime that hangs as a whole, or in part', () => {
  const healthy = { ready: true, message: '' };
  const ready = (over: object) =>
    computeNodeConditions({
      pressures: new Set(),
      runtime: healthy,
      network: healthy,
      routes: healthy,
      liveRestore: true,
      shuttingDown: false,
      relistAgeMs: 60_000,
      ...over,
    }).find((c) => c.type === 'Ready');
  expect(ready({})).toMatchObject({ status: 'True' });
  expect(ready({ relistAgeMs: 200_000 })).toMatchObject({
    status: 'False',
    message: '[PLEG is not healthy: pleg was last seen active 200s ago; threshold is 3m0s]',
  });
  expect(ready({ shuttingDown: true })?.message).toBe('[node is shutting down]');
});

it('inTime gives up on what does not answer', async () => {
  const clock = new FakeClock();
  const waiting = inTime(new Promise(() => undefined), { what: 'status', patienceMs: 10_000, clock });
  const outcome = expect(waiting).rejects.toThrow('the container runtime did not answer within 10 s (status)');
  await clock.advance(10_000);
  await outcome;
  expect(await inTime(Promise.resolve(1), { what: 'x', patienceMs: 1, clock })).toBe(1);
});

describe('a Node that is deleted', () => {
  let r: ReturnType<typeof startReporter>;
  afterEach(() => r.stop());
  const stay = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 10_000) {
      r.contact.noteAnswer();
      await r.clock.advance(10_000);
    }
  };

  it('stays deleted while its kubelet is in contact', async () => {
    r = startReporter();
    await vi.waitFor(() => expect(r.creates()).toBe(1), 20_000);
    await stay(60_000);
    r.deleteNode();
    const looks = r.looks();
    await stay(600_000);
    expect(r.looks()).toBe(looks);
    expect(r.creates()).toBe(1);
    expect(r.reporter.current()).toBeUndefined();
  });

  it('is made anew by a kubelet that was cut off', async () => {
    r = startReporter();
    await vi.waitFor(() => expect(r.creates()).toBe(1), 20_000);
    await stay(60_000);
    await r.clock.advance(400_000);
    r.deleteNode();
    await vi.waitFor(async () => {
      await stay(10_000);
      expect(r.creates()).toBe(2);
    }, 20_000);
    expect(r.reporter.current()?.metadata?.uid).toBe('uid-2');
  });
});

describe('a runtime that does not answer', () => {
  const silent = new Error('connect ENOENT /var/run/docker.sock');
  const look = async (liveRestore: boolean) => {
    let away = false;
    const r = startReporter(async () => {
      if (away) throw silent;
      return { ...runtimeDown, ready: true, liveRestore };
    });
    /** Begins another look; the one before has ended then. */
    const lookOn = async () => {
      const looks = r.looks();
      r.reporter.poke();
      await vi.waitFor(() => expect(r.looks()).toBeGreaterThan(looks), { timeout: 20_000 });
    };
    const after = async (ms: number) => {
      await r.clock.advance(ms);
      await lookOn();
      await lookOn();
      return r.ready();
    };
    await vi.waitFor(() => expect(r.creates()).toBe(1), { timeout: 20_000 });
    expect(await after(0)).toMatchObject({ status: 'True' });
    return { r, after, goAway: () => void (away = true), comeBack: () => void (away = false) };
  };

  it('is only restarting for half a minute, if its containers run on: the node stays ready, and its pods in service', async () => {
    const { r, after, goAway, comeBack } = await look(true);
    goAway();
    expect(await after(10_000)).toMatchObject({ status: 'True' });
    expect(await after(10_000)).toMatchObject({ status: 'True' });
    comeBack();
    expect(await after(10_000)).toMatchObject({ status: 'True' });
    goAway();
    expect(await after(29_999)).toMatchObject({ status: 'True' });
    expect(await after(1)).toMatchObject({ status: 'False', message: `[container runtime is down: ${silent.message}]` });
    comeBack();
    expect(await after(10_000)).toMatchObject({ status: 'True' });
    await r.stop();
  });

  it('takes its containers along where they end with it: the node is not ready at once', async () => {
    const { r, after, goAway } = await look(false);
    goAway();
    expect(await after(10_000)).toMatchObject({ status: 'False' });
    await r.stop();
  });
});
