import type { KubeObject, ResourceRef } from '@skiff/apimachinery';
import { FakeClock, silentLogger, systemClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { defineController, runController, type ControllerDefinition } from './controller.ts';
import { TerminalError } from './contract.ts';
import { createClient } from './create-client.ts';
import { startFakeApiserver, type FakeApiserver } from './fake-apiserver.ts';
import { createInformerFactory } from './informer-factory.ts';
import { ownedBy, primary } from './sources.ts';
import { KeyFence } from './write-fence.ts';

const sets: ResourceRef = { group: 'apps', version: 'v1', kind: 'ReplicaSet', plural: 'replicasets', scope: 'Namespaced' };
const pods: ResourceRef = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', scope: 'Namespaced' };
const setPath = '/apis/apps/v1/namespaces/ns/replicasets';
const podPath = '/api/v1/namespaces/ns/pods';

function start(server: FakeApiserver, definition: ControllerDefinition) {
  const client = createClient({ servers: [server.url] });
  const informers = createInformerFactory({ freeze: true }, { client, clock: systemClock, log: silentLogger });
  const stop = new AbortController();
  const events = { event: () => undefined };
  const done = Promise.all([
    informers.run(stop.signal),
    runController(definition, { client, informers, clock: systemClock, log: silentLogger, events }, stop.signal),
  ]);
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await done;
      client.close();
    },
  };
}

/** Resolves when `condition` holds after one of the calls of `check`. */
function condition(holds: () => boolean): { check: () => void; met: Promise<void> } {
  let resolve = (): void => undefined;
  const met = new Promise<void>((r) => {
    resolve = r;
  });
  return { met, check: () => void (holds() && resolve()) };
}

describe('controller', () => {
  it('is woken by its own resource and by what it controls', async () => {
    await using server = await startFakeApiserver();
    const keys: string[] = [];
    const two = condition(() => keys.length >= 2);
    await using _running = start(
      server,
      defineController({
        name: 'test',
        concurrency: 1,
        sources: [primary(sets), ownedBy(sets, pods)],
        create: () => async (key) => {
          keys.push(`${key.namespace ?? ''}/${key.name}`);
          two.check();
        },
      }),
    );
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'other', uid: 'u', controller: true };
    server.put(setPath, { metadata: { name: 'web' } });
    server.put(podPath, { metadata: { name: 'p', ownerReferences: [owner] } });
    server.put(podPath, { metadata: { name: 'q', ownerReferences: [{ ...owner, apiVersion: 'other/v1' }] } });
    await two.met;
    expect(keys.sort()).toEqual(['ns/other', 'ns/web']);
  });

  it('does not reconcile again before the cache has its own writes', async () => {
    await using server = await startFakeApiserver();
    let runs = 0;
    const five = condition(() => server.objects('pods').length >= 5);
    await using _running = start(
      server,
      defineController({
        name: 'test',
        concurrency: 2,
        sources: [primary(sets)],
        create: ({ informers, enqueue }) => {
          const podInformer = informers.informer(pods);
          return async (key, { client }) => {
            runs += 1;
            // Would overshoot on a stale cache, since every run is followed at once by another.
            if (podInformer.list('ns').length < 5) {
              await client.create(pods, { metadata: { namespace: 'ns', generateName: 'p-' } } as KubeObject);
              enqueue(`${key.namespace ?? ''}/${key.name}`);
            } else five.check();
          };
        },
      }),
    );
    server.put(setPath, { metadata: { name: 'web' } });
    await five.met;
    expect(server.objects('pods')).toHaveLength(5);
    expect(runs).toBe(6);
  });

  it('lists again after a write without an answer', async () => {
    await using server = await startFakeApiserver();
    let cut = true;
    server.intercept = ({ method, stream }) => {
      if (method !== 'POST' || !cut) return false;
      cut = false;
      server.put(podPath, { metadata: { name: 'made' } });
      stream.session?.destroy();
      return true;
    };
    const seen: number[] = [];
    const twice = condition(() => seen.length >= 2);
    await using _running = start(
      server,
      defineController({
        name: 'test',
        concurrency: 1,
        sources: [primary(sets)],
        create: ({ informers }) => {
          const podInformer = informers.informer(pods);
          return async (_key, { client }) => {
            seen.push(podInformer.list('ns').length);
            twice.check();
            if (podInformer.list('ns').length === 0) await client.create(pods, { metadata: { namespace: 'ns', name: 'made' } });
          };
        },
      }),
    );
    server.put(setPath, { metadata: { name: 'web' } });
    await twice.met;
    expect(seen).toEqual([0, 1]);
  });

  it('retries errors, but not terminal ones', async () => {
    await using server = await startFakeApiserver();
    const runs: string[] = [];
    const enough = condition(() => runs.length >= 4);
    await using _running = start(
      server,
      defineController({
        name: 'test',
        concurrency: 1,
        sources: [primary(sets)],
        create: () => async (key) => {
          runs.push(key.name);
          enough.check();
          if (key.name === 'hopeless') throw new TerminalError('no');
          if (runs.length < 4) throw new Error('again');
        },
      }),
    );
    server.put(setPath, { metadata: { name: 'hopeless' } });
    server.put(setPath, { metadata: { name: 'flaky' } });
    await enough.met;
    expect(runs).toEqual(['hopeless', 'flaky', 'flaky', 'flaky']);
  });
});

describe('KeyFence', () => {
  const clock = new FakeClock();
  const client = createClient({ servers: ['http://127.0.0.1:1'] });
  const informer = createInformerFactory({}, { client, clock, log: silentLogger }).informer(pods);
  it('waits for the highest revision of each resource that has an informer', () => {
    const fence = new KeyFence();
    fence.wrote(pods, { metadata: { resourceVersion: '9' } });
    fence.wrote(pods, { metadata: { resourceVersion: '10' } });
    fence.wrote(sets, { metadata: { resourceVersion: '11' } });
    expect(fence.closedBy((id) => (id === 'pods' ? { ...informer, resourceVersion: '9' } : undefined))).toEqual(['pods']);
    expect(fence.closedBy((id) => (id === 'pods' ? { ...informer, resourceVersion: '10' } : undefined))).toEqual([]);
    expect(fence.empty).toBe(true);
  });
  it('waits until a deleted object is gone or marked', () => {
    const fence = new KeyFence();
    fence.deleted(pods, { metadata: { namespace: 'ns', name: 'a', uid: '1' } });
    const holding = (metadata: KubeObject['metadata']) => () => ({
      ...informer,
      get: () => (metadata === undefined ? undefined : { metadata }),
    });
    expect(fence.closedBy(holding({ uid: '1' }))).toEqual(['pods']);
    expect(fence.closedBy(holding({ uid: '1', deletionTimestamp: 'x' }))).toEqual([]);
    fence.deleted(pods, { metadata: { namespace: 'ns', name: 'a', uid: '1' } });
    expect(fence.closedBy(holding({ uid: '2' }))).toEqual([]);
  });
});
