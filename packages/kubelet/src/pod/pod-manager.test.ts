import { mkdirSync, readdirSync } from 'node:fs';
import type { Pod } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { InformerHandler } from '@skiff/client';
import { describe, expect, it } from 'vitest';
import type { PodSandbox } from '@skiff/cri';
import { podPaths, podsDirectory } from '../volumes/pod-paths.ts';
import type { PodSource } from '../static-pods/static-pods.ts';
import { createPodManager, type PodManager } from './pod-manager.ts';
import { createFakeNode, type FakeNode, fakePod } from './pod-context.fixture.ts';

/** What the API has for this node, as an informer shows it. */
class Source {
  readonly #pods = new Map<string, Pod>();
  readonly #handlers = new Set<InformerHandler<Pod>>();
  readonly synced: Promise<void>;
  readonly early: PodSource['early'];
  constructor(o: { synced?: Promise<void>; early?: PodSource['early'] } = {}) {
    this.synced = o.synced ?? Promise.resolve();
    this.early = o.early;
  }
  list(): readonly DeepReadonly<Pod>[] {
    return [...this.#pods.values()];
  }
  subscribe(handler: InformerHandler<Pod>): Disposable {
    for (const pod of this.#pods.values()) handler.onAdd?.(pod);
    this.#handlers.add(handler);
    return { [Symbol.dispose]: () => void this.#handlers.delete(handler) };
  }
  put(pod: Pod): void {
    const name = pod.metadata?.name ?? '';
    const old = this.#pods.get(name);
    this.#pods.set(name, pod);
    for (const h of this.#handlers) {
      if (old === undefined) h.onAdd?.(pod);
      else h.onUpdate?.(pod, old);
    }
  }
  remove(name: string): void {
    const pod = this.#pods.get(name);
    this.#pods.delete(name);
    if (pod !== undefined) for (const h of this.#handlers) h.onDelete?.(pod);
  }
}

interface Running extends AsyncDisposable {
  readonly manager: PodManager;
}
/** A kubelet's pod manager on a node; another one on the same node is a restarted kubelet. */
function startManager(node: FakeNode, source: Source): Running {
  const abort = new AbortController();
  const manager = createPodManager({ source: source as unknown as PodSource, context: () => node.context });
  const running = manager.run(abort.signal);
  return {
    manager,
    [Symbol.asyncDispose]: async () => {
      abort.abort(new Error('the kubelet stops'));
      await node.settle();
      await running;
    },
  };
}

/** It takes 10 s to end after its signal. */
const slow = { containers: [{ name: 'c', image: 'fake:1', command: ['stubborn'] }], terminationGracePeriodSeconds: 10 };
const starts = (node: FakeNode): number => node.fake.calls.filter((c) => c.startsWith('startContainer')).length;

const podUids = async (node: FakeNode): Promise<readonly string[]> =>
  (await node.fake.runtime.listContainers()).map((c) => c.labels['io.kubernetes.pod.uid'] ?? '').sort((a, b) => (a < b ? -1 : 1));

describe('pod manager', () => {
  it('starts a pod only after an older one of its name has ended', async () => {
    await using node = createFakeNode();
    const source = new Source();
    source.put(fakePod(slow, { uid: 'old' }));
    await using _kubelet = startManager(node, source);
    await node.settle();
    expect(starts(node)).toBe(1);
    // Deleted by force while the node was away, and made anew: one update to the informer.
    source.put(fakePod(slow, { uid: 'new' }));
    await node.settle(9000);
    expect(starts(node)).toBe(1);
    await node.settle(2000);
    expect(starts(node)).toBe(2);
    expect(await podUids(node)).toEqual(['new']);
  });

  it('does not start a pod that is deleted while it waits', async () => {
    await using node = createFakeNode();
    const source = new Source();
    source.put(fakePod(slow, { uid: 'old' }));
    await using kubelet = startManager(node, source);
    await node.settle();
    source.put(fakePod(slow, { uid: 'new' }));
    await node.settle();
    source.remove('p');
    await node.settle(11_000);
    expect(starts(node)).toBe(1);
    expect(kubelet.manager.workers()).toEqual([]);
  });

  it('starts a static pod again whose manifest came back while it was ending', async () => {
    await using node = createFakeNode();
    const source = new Source();
    source.put(fakePod(slow, { uid: 'static' }));
    await using kubelet = startManager(node, source);
    await node.settle();
    source.remove('p');
    await node.settle(1000);
    source.put(fakePod(slow, { uid: 'static' }));
    await node.settle(11_000);
    await node.settle();
    expect(starts(node)).toBe(2);
    expect(kubelet.manager.byUid('static')?.state.phase).toBe('syncing');
  });

  it('ends what nobody wants any more before it starts anything of the same name, after a restart too', async () => {
    await using node = createFakeNode();
    const before = new Source();
    before.put(fakePod(slow, { uid: 'old' }));
    before.put(fakePod(slow, { uid: 'stays', name: 'q' }));
    {
      await using _kubelet = startManager(node, before);
      await node.settle();
    }
    expect(starts(node)).toBe(2);
    const after = new Source();
    after.put(fakePod(slow, { uid: 'new' }));
    after.put(fakePod(slow, { uid: 'stays', name: 'q' }));
    await using _restarted = startManager(node, after);
    await node.settle(9000);
    expect(starts(node)).toBe(2);
    await node.settle(2000);
    expect(starts(node)).toBe(3);
    expect(await podUids(node)).toEqual(['new', 'stays']);
  });

  it('ends no static pod of a URL that has not said yet which ones it wants', async () => {
    await using node = createFakeNode();
    const before = new Source();
    before.put(fakePod(slow, { uid: 'of-url', annotations: { 'kubernetes.io/config.source': 'http' } }));
    before.put(fakePod(slow, { uid: 'of-file', name: 'q', annotations: { 'kubernetes.io/config.source': 'file' } }));
    {
      await using _kubelet = startManager(node, before);
      await node.settle();
    }
    let urlAwaited = true;
    await using _restarted = startManager(node, Object.assign(new Source(), { urlAwaited: () => urlAwaited }));
    await node.settle(90_000);
    expect(await podUids(node)).toEqual(['of-url']);
    urlAwaited = false;
    await node.settle(90_000);
    expect(await podUids(node)).toEqual([]);
  });

  it('ends nothing that runs because it would not be let in today', async () => {
    await using node = createFakeNode();
    const source = new Source();
    source.put(fakePod(slow, { uid: 'runs' }));
    {
      await using _kubelet = startManager(node, source);
      await node.settle();
    }
    Object.assign(node.context, { admit: () => ({ reason: 'Evicted', message: 'The node had condition: [DiskPressure].' }) });
    await using kubelet = startManager(node, source);
    await node.settle(20_000);
    expect(kubelet.manager.byUid('runs')?.state.phase).toBe('syncing');
    expect([...node.fake.containers.values()].map((c) => c.state)).toEqual(['running']);
    source.put(fakePod(slow, { uid: 'new', name: 'q' }));
    await node.settle();
    expect(node.status('new')).toMatchObject({ phase: 'Failed', reason: 'Evicted' });
    expect(starts(node)).toBe(1);
  });

  it('takes over its pods though what one sandbox says of itself makes no sense', async () => {
    await using node = createFakeNode();
    const source = new Source();
    source.put(fakePod(slow, { uid: 'sane' }));
    source.put(fakePod(slow, { uid: 'odd', name: 'q' }));
    {
      await using _kubelet = startManager(node, source);
      await node.settle();
    }
    const { listPodSandbox } = node.context.runtime;
    const odd = (s: PodSandbox): PodSandbox =>
      s.metadata.uid === 'odd' ? { ...s, annotations: { ...s.annotations, 'io.skiff.pod.hostPorts': 'x' } } : s;
    Object.assign(node.context.runtime, { listPodSandbox: async (f: object) => (await listPodSandbox(f)).map(odd) });
    await using kubelet = startManager(node, source);
    await node.settle();
    expect(kubelet.manager.byUid('sane')?.state.phase).toBe('syncing');
    expect([...node.fake.sandboxes.values()].filter((s) => s.config.metadata.uid === 'sane').map((s) => s.ready)).toEqual([true]);
  });

  it('grows old while lists of the runtime fail, however often they are tried', async () => {
    await using node = createFakeNode();
    await using kubelet = startManager(node, new Source());
    await node.settle();
    await node.settle(60_000);
    expect(kubelet.manager.relistAgeMs()).toBeLessThan(60_000);
    const { listContainers } = node.context.runtime;
    Object.assign(node.context.runtime, { listContainers: async () => Promise.reject(new Error('no answer')) });
    for (let i = 0; i < 4; i++) await node.settle(65_000);
    expect(kubelet.manager.relistAgeMs()).toBeGreaterThan(200_000);
    Object.assign(node.context.runtime, { listContainers });
    for (let i = 0; i < 2; i++) await node.settle(65_000);
    expect(kubelet.manager.relistAgeMs()).toBeLessThan(65_000);
  });

  it('removes what pods left on the disk, also beside one whose rest can’t be removed', async () => {
    await using node = createFakeNode();
    const { volumes } = node.context;
    const tearDown = volumes.tearDown.bind(volumes);
    Object.assign(volumes, {
      tearDown: async (uid: string) => (uid === 'a' ? Promise.reject(new Error('its driver is away')) : tearDown(uid)),
    });
    for (const uid of ['a', 'b', 'c']) mkdirSync(podPaths(node.context.rootDirectory, uid).root, { recursive: true });
    await using _kubelet = startManager(node, new Source());
    await node.settle();
    expect(readdirSync(podsDirectory(node.context.rootDirectory))).toEqual(['a']);
    Object.assign(volumes, { tearDown });
    await node.settle(31_000);
    expect(readdirSync(podsDirectory(node.context.rootDirectory))).toEqual([]);
  });
});

it('static pods run before the API was reached once, and nothing of other pods is ended before', async () => {
  await using node = createFakeNode();
  const file = fakePod({ containers: [{ name: 'c', image: 'fake:1', command: ['pause'] }] }, { name: 'from-file', uid: 'f' });
  const other = fakePod({ containers: [{ name: 'c', image: 'fake:1', command: ['pause'] }] }, { name: 'of-api', uid: 'o' });
  const source = new Source();
  source.put(other);
  {
    await using _before = startManager(node, source);
    await node.settle();
    expect(starts(node)).toBe(1);
  }
  let reach: () => void = () => undefined;
  const early = {
    ready: Promise.resolve(),
    subscribe: (h: InformerHandler<Pod>) => {
      h.onAdd?.(file);
      return { [Symbol.dispose]: () => undefined };
    },
  };
  const later = new Source({ synced: new Promise((resolve) => (reach = resolve)), early });
  await using running = startManager(node, later);
  await node.settle(60_000);
  expect(running.manager.pods().map((p) => p.metadata.name)).toEqual(['from-file']);
  expect(node.status('f')?.phase).toBe('Running');
  expect(node.fake.calls.filter((c) => c.startsWith('stopPodSandbox'))).toEqual([]);
  later.put(other);
  reach();
  await node.settle();
  expect(starts(node)).toBe(2);
  expect(running.manager.workers()).toHaveLength(2);
});
