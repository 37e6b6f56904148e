import { builtinResources, builtinSchemas, pod, podDisruptionBudget } from '@skiff/api';
import type { KubeObject, ResourceDefinition } from '@skiff/apimachinery';
import { silentLogger, systemClock } from '@skiff/component-base';
import { createMemoryStore } from '@skiff/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ApiRequest, ResourceRegistry } from '../../contract.ts';
import { createRegistry } from '../registry.ts';

const pods = pod as unknown as ResourceDefinition;
const budgets = podDisruptionBudget as unknown as ResourceDefinition;

let registry: ResourceRegistry;
let stop: () => Promise<void>;
beforeEach(async () => {
  const controller = new AbortController();
  registry = createRegistry(
    {
      definitions: builtinResources,
      schema: builtinSchemas,
      keyPrefix: '/registry',
      serviceClusterIpRanges: ['10.96.0.0/24'],
      serviceNodePortRange: { from: 30000, to: 30031 },
    },
    {
      store: createMemoryStore(),
      clock: systemClock,
      log: silentLogger,
      admission: () => ({ mutate: async () => undefined, validate: async () => undefined }),
      subresources: () => [],
      authorizeCreate: async () => undefined,
    },
  );
  const running = registry.run(controller.signal);
  stop = async () => {
    controller.abort();
    await running;
  };
  await registry.ready(controller.signal);
});
afterEach(() => stop());

async function makePod(name: string, status: object): Promise<void> {
  const object = {
    metadata: { name, namespace: 'default', labels: { app: 'a' } },
    spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] },
  };
  await registry.objects.create(pods, object as KubeObject);
  await registry.objects.update(pods, 'default', name, (draft) => ({ ...draft, status }) as KubeObject, { subresource: 'status' });
}

async function makeBudget(name: string, status: object): Promise<void> {
  const object = { metadata: { name, namespace: 'default' }, spec: { minAvailable: 1, selector: { matchLabels: { app: 'a' } } } };
  await registry.objects.create(budgets, object as KubeObject);
  await registry.objects.update(budgets, 'default', name, (draft) => ({ ...draft, status }) as KubeObject, { subresource: 'status' });
}

async function evict(name: string, deleteOptions: object = {}): Promise<number> {
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name }, deleteOptions };
  const request: ApiRequest = {
    info: {
      isResourceRequest: true,
      path: '/',
      verb: 'create',
      apiPrefix: 'api',
      group: '',
      version: 'v1',
      namespace: 'default',
      resource: 'pods',
      subresource: 'eviction',
      name,
      parts: ['pods', name, 'eviction'],
    },
    user: { name: 'tester', groups: [] },
    query: new URLSearchParams(),
    body: Buffer.from(JSON.stringify(body)),
    contentType: 'application/json',
    output: { mediaType: 'json', pretty: false },
    userAgent: '',
    signal: new AbortController().signal,
    warnings: [],
  };
  const response = await registry.lookup('', 'v1', 'pods', 'eviction')?.create?.(request);
  return response?.code ?? 0;
}

const ready = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
const healthy = { observedGeneration: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 };
const read = (d: ResourceDefinition, name: string): Promise<KubeObject | undefined> => registry.objects.read(d, 'default', name);

describe('eviction', () => {
  it('marks the pod and deletes it where no budget selects it', async () => {
    await makePod('p', ready);
    expect(await evict('p')).toBe(201);
    const evicted = (await read(pods, 'p')) as KubeObject & { status: { conditions: { type: string; reason?: string }[] } };
    expect(evicted.metadata?.deletionTimestamp).toBeDefined();
    expect(evicted.status.conditions).toContainEqual(
      expect.objectContaining({ type: 'DisruptionTarget', reason: 'EvictionByEvictionAPI' }),
    );
  });

  it('takes one disruption of the budget, and is told to wait when there is none', async () => {
    await makePod('p', ready);
    await makePod('q', ready);
    await makeBudget('b', { ...healthy, disruptionsAllowed: 1 });
    expect(await evict('p')).toBe(201);
    const budget = (await read(budgets, 'b')) as KubeObject & { status: { disruptionsAllowed: number; disruptedPods: object } };
    expect(budget.status.disruptionsAllowed).toBe(0);
    expect(Object.keys(budget.status.disruptedPods)).toEqual(['p']);
    await expect(evict('q')).rejects.toMatchObject({
      code: 429,
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
    });
    expect((await read(pods, 'q'))?.metadata?.deletionTimestamp).toBeUndefined();
  });

  it('waits for the budget’s controller, refuses two budgets, ignores pods that are over', async () => {
    await makePod('p', ready);
    await makePod('done', { phase: 'Succeeded' });
    await makeBudget('b', { ...healthy, observedGeneration: 0, disruptionsAllowed: 1 });
    await expect(evict('p')).rejects.toMatchObject({ code: 429, details: { retryAfterSeconds: 10 } });
    expect(await evict('done')).toBe(201);
    await makeBudget('c', { ...healthy, disruptionsAllowed: 1 });
    await expect(evict('p')).rejects.toMatchObject({ code: 500 });
  });

  it('lets an unready pod go while the application is healthy, and honours preconditions', async () => {
    await makePod('done', { phase: 'Failed' });
    await expect(evict('done', { preconditions: { uid: 'other' } })).rejects.toMatchObject({ reason: 'Conflict' });
    await makePod('p', { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] });
    await makeBudget('b', { ...healthy, disruptionsAllowed: 0 });
    // Seen unready and deleted as such: had it changed meanwhile, the client would come again.
    await expect(evict('p', { preconditions: { uid: 'other' } })).rejects.toMatchObject({ code: 429 });
    expect(await evict('p')).toBe(201);
  });
});
