import { readdirSync } from 'node:fs';
import type { Pod } from '@skiff/api';
import type { Informer } from '@skiff/client';
import { describe, expect, it } from 'vitest';
import { podsDirectory } from '../volumes/pod-paths.ts';
import { createFakeNode, type FakeNode, fakePod } from './pod-context.fixture.ts';
import { createPodManager } from './pod-manager.ts';

/** What a kubelet changes in the world outside of itself. A killed one has carried out any number of these, and the last one maybe. */
const runtimeSteps = [
  'runPodSandbox',
  'stopPodSandbox',
  'removePodSandbox',
  'createContainer',
  'startContainer',
  'signalContainer',
  'removeContainer',
] as const;

type Act = (...args: unknown[]) => Promise<unknown>;

/** The kubelet's life ends at step `at`; `done`: that step is still carried out, but nobody hears of it. */
interface Death {
  readonly at: number;
  readonly done: boolean;
  readonly abort: AbortController;
  /** How many steps there were; when the kubelet lives on, that tells how many there are. */
  steps: number;
}
const forever = new Promise<never>(() => undefined);
function mortal(act: Act, death: Death): Act {
  return async (...args) => {
    const step = death.steps++;
    if (step < death.at) return act(...args);
    if (step === death.at) {
      if (death.done) await act(...args);
      // Its timers and loops end as well, without a word.
      death.abort.abort(new Error('killed'));
    }
    return forever;
  };
}

/** Wires of sandboxes, which outlive the kubelet. */
type Wires = Map<string, readonly string[]>;

function connectNode(node: FakeNode, wires: Wires, death: Death): void {
  const { context } = node;
  const key = (o: { uid: string; attempt: number }): string => `${o.uid}/${o.attempt}`;
  const taken = new Set<string>();
  Object.assign(context.network, {
    allocate: () => {
      for (let i = 2; ; i++) {
        const address = `10.0.0.${i}`;
        if (taken.has(address)) continue;
        taken.add(address);
        return [address];
      }
    },
    adopt: async (owner: { uid: string; attempt: number }, o: { addresses: readonly string[] }) => {
      for (const a of o.addresses) taken.add(a);
      return wires.has(key(owner));
    },
    attach: mortal(async (owner, o) => {
      wires.set(key(owner as never), (o as { addresses: readonly string[] }).addresses);
    }, death),
    detach: mortal(async (owner) => void wires.delete(key(owner as never)), death),
    release: async (uid: string) => {
      for (const k of wires.keys()) if (k.startsWith(`${uid}/`)) wires.delete(k);
    },
  });
  const runtime = { ...context.runtime } as unknown as Record<string, Act>;
  for (const name of runtimeSteps) runtime[name] = mortal((context.runtime as unknown as Record<string, Act>)[name] as Act, death);
  Object.assign(context, { runtime });
  Object.assign(context.volumes, { tearDown: mortal(context.volumes.tearDown.bind(context.volumes) as Act, death) });
}

const immortal = (): Death => ({ at: Number.POSITIVE_INFINITY, done: true, abort: new AbortController(), steps: 0 });

/** The API's side: one pod, which may be deleted, and what is told of it. */
class OnePod {
  pod: Pod | undefined;
  readonly synced = Promise.resolve();
  #handlers = new Set<Parameters<Informer<Pod>['subscribe']>[0]>();
  constructor(pod: Pod) {
    this.pod = pod;
  }
  list = (): readonly Pod[] => (this.pod === undefined ? [] : [this.pod]);
  subscribe = (handler: Parameters<Informer<Pod>['subscribe']>[0]): Disposable => {
    if (this.pod !== undefined) handler.onAdd?.(this.pod);
    this.#handlers.add(handler);
    return { [Symbol.dispose]: () => void this.#handlers.delete(handler) };
  };
  /** The dead kubelet hears nothing more. */
  forgetReaders(): void {
    this.#handlers = new Set();
  }
  update(change: Partial<NonNullable<Pod['metadata']>>): void {
    const old = this.pod;
    if (old === undefined) return;
    this.pod = { ...old, metadata: { ...old.metadata, ...change } };
    for (const h of this.#handlers) h.onUpdate?.(this.pod, old);
  }
  remove(): void {
    const old = this.pod;
    this.pod = undefined;
    if (old !== undefined) for (const h of this.#handlers) h.onDelete?.(old);
  }
}

const spec: Partial<NonNullable<Pod['spec']>> = {
  initContainers: [{ name: 'i', image: 'fake:1', command: ['exit', '0'] }],
  containers: [
    { name: 'a', image: 'fake:1', command: ['pause'], volumeMounts: [{ name: 'v', mountPath: '/v' }] },
    { name: 'b', image: 'fake:1', command: ['pause'] },
  ],
  volumes: [{ name: 'v', emptyDir: {} }],
  terminationGracePeriodSeconds: 1,
};

function startKubelet(node: FakeNode, api: OnePod, death: Death): { readonly run: Promise<void> } {
  const manager = createPodManager({ source: api as unknown as Informer<Pod>, context: () => node.context });
  return { run: manager.run(death.abort.signal) };
}
async function settleFor(node: FakeNode, api: OnePod, seconds: readonly number[]): Promise<void> {
  for (const s of seconds) {
    await node.settle(s * 1000);
    // The API lets go of the object once the kubelet says that the pod is finished.
    if (node.finished.includes('u') && api.pod?.metadata?.deletionTimestamp !== undefined) api.remove();
  }
  await node.settle();
}

/** Runs a kubelet that dies at `at`, and the next one; returns how many steps the first one made. */
async function die(o: { at: number; done: boolean; deletes: boolean }): Promise<number> {
  await using node = createFakeNode();
  const wires: Wires = new Map();
  const api = new OnePod(fakePod(spec));
  const first: Death = { at: o.at, done: o.done, abort: new AbortController(), steps: 0 };
  connectNode(node, wires, first);
  startKubelet(node, api, first);
  await settleFor(node, api, [0, 2]);
  if (o.deletes) {
    api.update({ deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 1 });
    await settleFor(node, api, [0, 2, 3]);
  }
  const { steps } = first;
  api.forgetReaders();
  first.abort.abort(new Error('killed'));
  const status = node.status('u');
  if (api.pod !== undefined && status !== undefined) api.pod = { ...api.pod, status };

  await using next = createFakeNode({ after: node });
  const second = immortal();
  connectNode(next, wires, second);
  const { run } = startKubelet(next, api, second);
  await settleFor(next, api, [0, 2, 5, 12, 35, 35]);
  const sandboxes = [...next.fake.sandboxes.values()];
  const running = [...next.fake.containers.values()].filter((c) => c.state === 'running');
  if (o.deletes) {
    expect(api.pod).toBeUndefined();
    expect({ sandboxes, containers: [...next.fake.containers.values()], wires: [...wires] }).toEqual({
      sandboxes: [],
      containers: [],
      wires: [],
    });
    expect(readdirSync(podsDirectory(node.context.rootDirectory))).toEqual([]);
  } else {
    const ready = sandboxes.filter((s) => s.ready);
    expect(ready).toHaveLength(1);
    expect(running.map((c) => c.config.metadata.name).sort()).toEqual(['a', 'b']);
    expect(new Set(running.map((c) => c.sandboxId))).toEqual(new Set([ready[0]?.id]));
    expect([...wires.keys()]).toEqual([`u/${ready[0]?.config.metadata.attempt}`]);
    expect(next.status('u')?.phase).toBe('Running');
    expect(next.status('u')?.podIPs).toEqual([...wires.values()][0]?.map((ip) => ({ ip })));
    // At most one former sandbox and one former container of each name are kept for their logs.
    expect(sandboxes.length).toBeLessThanOrEqual(2);
    expect(next.fake.containers.size).toBeLessThanOrEqual(6);
  }
  second.abort.abort(new Error('the test is over'));
  await next.settle();
  await run;
  return steps;
}

describe.each([
  ['a pod starts', false],
  ['a pod starts and ends', true],
])('a kubelet that is killed while %s', (_, deletes) => {
  it('at whichever step, is followed by one that brings it to where it should be, and nothing stays behind', async () => {
    const steps = await die({ at: Number.POSITIVE_INFINITY, done: true, deletes });
    expect(steps).toBeGreaterThan(5);
    const deaths = Array.from({ length: steps * 2 }, (_step, i) => ({ at: Math.floor(i / 2), done: i % 2 === 1, deletes }));
    await Promise.all(
      deaths.map((death) =>
        die(death).catch((error: unknown) => {
          const when = `killed ${death.done ? 'after' : 'before'} step ${death.at} of ${steps}`;
          throw new Error(`${when}: ${(error as Error).message}`, { cause: error });
        }),
      ),
    );
  });
});
