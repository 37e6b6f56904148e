import type { KubeObject, ResourceRef } from '@skiff/apimachinery';
import { silentLogger, systemClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { createClient } from './create-client.ts';
import { startFakeApiserver, type FakeApiserver } from './fake-apiserver.ts';
import { createInformer, type InformerConfig } from './informer.ts';

interface Pod extends KubeObject {
  spec?: { nodeName?: string };
}
const pods: ResourceRef<Pod> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', scope: 'Namespaced' };
const path = '/api/v1/namespaces/ns/pods';
const pod = (name: string, nodeName?: string): Pod => ({ metadata: { name }, ...(nodeName === undefined ? {} : { spec: { nodeName } }) });

async function running(server: FakeApiserver, config: InformerConfig = {}) {
  const client = createClient({ servers: [server.url] });
  const informer = createInformer(
    pods,
    { freeze: true, backoff: { initialMs: 1, maxMs: 5 }, ...config },
    { client, clock: systemClock, log: silentLogger },
  );
  const events: string[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const note = (event: string): void => {
    events.push(event);
    for (const w of waiting) if (events.length >= w.count) w.resolve();
  };
  informer.subscribe({
    onAdd: (o) => note(`add ${o.metadata?.name ?? ''}`),
    onUpdate: (o) => note(`update ${o.metadata?.name ?? ''}`),
    onDelete: (o) => note(`delete ${o.metadata?.name ?? ''}`),
  });
  const stop = new AbortController();
  const done = informer.run(stop.signal);
  await informer.synced;
  return {
    informer,
    events,
    seen: (count: number) => new Promise<void>((resolve) => (events.length >= count ? resolve() : waiting.push({ count, resolve }))),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await done;
      client.close();
    },
  };
}

describe('informer', () => {
  it.each([true, false])('lists and follows (watch list: %s)', async (watchList) => {
    await using server = await startFakeApiserver();
    server.watchList = watchList;
    for (const name of ['a', 'b', 'c']) server.put(path, pod(name));
    await using test = await running(server, { pageSize: 2 });
    expect(test.informer.list('ns').map((p) => p.metadata?.name)).toEqual(['a', 'b', 'c']);
    server.put(path, pod('a', 'node1'));
    server.remove(path, 'b');
    server.put(path, pod('d'));
    await test.seen(6);
    expect(test.events).toEqual(['add a', 'add b', 'add c', 'update a', 'delete b', 'add d']);
    expect(test.informer.resourceVersion).toBe(String(server.revision));
    expect(test.informer.get({ namespace: 'ns', name: 'b' })).toBeUndefined();
  });

  it('resumes after a lost connection without a gap or a repetition', async () => {
    await using server = await startFakeApiserver();
    server.put(path, pod('a'));
    await using test = await running(server);
    server.dropConnections();
    server.put(path, pod('b'));
    server.put(path, pod('a', 'n'));
    await test.seen(3);
    expect(test.events).toEqual(['add a', 'add b', 'update a']);
    expect(server.requests.filter((r) => r.includes('sendInitialEvents'))).toHaveLength(1);
  });

  it('lists again after 410 and tells only the difference', async () => {
    await using server = await startFakeApiserver();
    for (const name of ['a', 'b', 'c']) server.put(path, pod(name));
    await using test = await running(server);
    server.dropConnections();
    server.remove(path, 'a');
    server.put(path, pod('b', 'n'));
    server.put(path, pod('d'));
    server.compact();
    await test.seen(6);
    expect(test.events.slice(3).sort()).toEqual(['add d', 'delete a', 'update b']);
  });

  it('takes an object with another uid for a deletion and a new one', async () => {
    await using server = await startFakeApiserver();
    server.put(path, pod('a'));
    await using test = await running(server);
    server.dropConnections();
    server.remove(path, 'a');
    server.put(path, pod('a'));
    server.compact();
    await test.seen(3);
    expect(test.events).toEqual(['add a', 'delete a', 'add a']);
  });

  it('keeps indexes, also of what left the selector', async () => {
    await using server = await startFakeApiserver();
    server.put(path, pod('a', 'n1'));
    server.put(path, pod('b', 'n2'));
    await using test = await running(server, { fieldSelector: 'spec.nodeName=n1' });
    test.informer.addIndex('node', (p) => (p.spec?.nodeName === undefined ? [] : [p.spec.nodeName]));
    expect(test.informer.byIndex('node', 'n1')).toHaveLength(1);
    server.put(path, pod('a', 'n2'));
    await test.seen(2);
    expect(test.events).toEqual(['add a', 'delete a']);
    expect(test.informer.byIndex('node', 'n1')).toEqual([]);
  });

  it('moves its revision with bookmarks, and lists again when asked', async () => {
    await using server = await startFakeApiserver();
    await using test = await running(server);
    server.put('/api/v1/namespaces/ns/configmaps', { metadata: { name: 'other' } });
    await test.informer.relist();
    expect(test.informer.resourceVersion).toBe(String(server.revision));
  });

  it('gives a late subscriber what is there, and nothing after it left', async () => {
    await using server = await startFakeApiserver();
    server.put(path, pod('a'));
    await using test = await running(server);
    const late: string[] = [];
    const subscription = test.informer.subscribe({ onAdd: (o) => void late.push(o.metadata?.name ?? '') });
    subscription[Symbol.dispose]();
    server.put(path, pod('b'));
    await test.seen(2);
    expect(late).toEqual(['a']);
    expect(() => {
      Object.assign(test.informer.list()[0] ?? {}, { kind: 'X' });
    }).toThrow();
  });
});
