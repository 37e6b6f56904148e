import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Pod } from '@skiff/api';
import { alreadyExists } from '@skiff/apimachinery';
import type { Client, Informer, InformerHandler } from '@skiff/client';
import { silentLogger, systemClock } from '@skiff/component-base';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isStaticPod, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { createManifestSource } from './manifest-directory.ts';
import { createUrlSource } from './manifest-url.ts';
import { readManifest } from './read-manifest.ts';
import { createStaticPods } from './static-pods.ts';

const manifest = (over = '', image = 'busybox:1'): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: web, labels: { app: web } }\nspec:\n  containers: [{ name: c, image: "${image}" }]\n${over}`;
const read = (text: string) => readManifest(text, { file: '/m/web.yaml', nodeName: 'node1', now: '2026-01-01T00:00:00Z' });

describe('readManifest', () => {
  it('makes a pod of this node with a UID that follows from the content', () => {
    const pod = read(manifest());
    expect(pod.metadata).toMatchObject({ name: 'web-node1', namespace: 'default', labels: { app: 'web' } });
    expect(pod.metadata.annotations).toMatchObject({
      'kubernetes.io/config.source': 'file',
      'kubernetes.io/config.hash': pod.metadata.uid,
    });
    expect(pod.spec).toMatchObject({
      nodeName: 'node1',
      restartPolicy: 'Always',
      tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
    });
    expect(read(manifest()).metadata.uid).toBe(pod.metadata.uid);
    expect(read(manifest('', 'busybox:2')).metadata.uid).not.toBe(pod.metadata.uid);
  });
  it('makes static pods only, whatever they say of the API', () => {
    const pod = read(manifest().replace('name: web,', 'name: web, resourceVersion: "7",'));
    expect(pod.metadata).not.toHaveProperty('resourceVersion');
    expect(isStaticPod(pod)).toBe(true);
  });
  it.each([
    ['a: b', 'it is not a v1 Pod'],
    [manifest('  nonsense: 1\n'), 'unknown field "spec.nonsense"'],
    [manifest('  serviceAccountName: x\n'), 'static pods may not reference serviceaccounts'],
    [manifest('  volumes: [{ name: v, secret: { secretName: s } }]\n'), 'static pods may not reference secrets (via secret volumes)'],
    [manifest('  restartPolicy: Sometimes\n'), 'spec.restartPolicy'],
  ])('refuses %j', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});

/** Pods of an API that tells of every change at once. */
function world() {
  const stored = new Map<string, Pod>();
  const handlers = new Set<InformerHandler<Pod>>();
  let counter = 0;
  const client = {
    create: async (_r: unknown, pod: Pod) => {
      const key = `${pod.metadata?.namespace}/${pod.metadata?.name}`;
      if (stored.has(key)) throw alreadyExists({ group: '', resource: 'pods' }, pod.metadata?.name ?? '');
      const made = { ...pod, metadata: { ...pod.metadata, uid: `mirror-${++counter}`, resourceVersion: String(counter) } };
      stored.set(key, made);
      for (const h of handlers) h.onAdd?.(made);
      return made;
    },
    delete: async (_r: unknown, { namespace, name }: { namespace: string; name: string }) => {
      const old = stored.get(`${namespace}/${name}`);
      stored.delete(`${namespace}/${name}`);
      if (old !== undefined) for (const h of handlers) h.onDelete?.(old);
    },
  };
  const informer = {
    synced: Promise.resolve(),
    list: () => [...stored.values()],
    subscribe: (h: InformerHandler<Pod>) => {
      handlers.add(h);
      for (const p of stored.values()) h.onAdd?.(p);
      return { [Symbol.dispose]: () => void handlers.delete(h) };
    },
  };
  return { stored, handlers, client: client as unknown as Client, informer: informer as unknown as Informer<Pod> };
}

describe('static pods', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'manifests-'));
    mkdirSync(join(dir, 'd'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('run from files, and have mirrors that come back', async () => {
    const w = world();
    writeFileSync(join(dir, 'd/web.yaml'), manifest());
    writeFileSync(join(dir, 'd/broken.yaml'), 'kind: Nothing');
    writeFileSync(join(dir, 'd/.hidden'), manifest());
    const mirrors = new Map<string, PodSnapshot | undefined>();
    const statics = createStaticPods(
      { nodeName: 'n' },
      {
        manifests: createManifestSource({ path: join(dir, 'd'), nodeName: 'n' }, { clock: systemClock, log: silentLogger }),
        informer: w.informer,
        client: w.client,
        node: () => ({ metadata: { name: 'n', uid: 'node-uid' } }),
        status: () => ({ setMirror: (uid, mirror) => void mirrors.set(uid, mirror) }),
        log: silentLogger,
      },
    );
    const told: string[] = [];
    using _s = statics.subscribe({
      onAdd: (p) => void told.push(`+${p.metadata?.name} ${p.spec?.containers[0]?.image}`),
      onDelete: (p) => void told.push(`-${p.metadata?.name} ${p.spec?.containers[0]?.image}`),
    });
    const stop = new AbortController();
    const running = statics.run(stop.signal);
    const mirrorOf = (): Pod | undefined => w.stored.get('default/web-n');
    await vi.waitFor(() => expect(mirrorOf()).toBeDefined(), 20_000);
    expect(told).toEqual(['+web-n busybox:1']);
    const [first] = statics.list();
    expect(mirrorOf()?.metadata).toMatchObject({
      annotations: { 'kubernetes.io/config.mirror': first?.metadata?.uid },
      ownerReferences: [{ kind: 'Node', name: 'n', uid: 'node-uid', controller: true }],
    });
    await vi.waitFor(() => expect(mirrors.get(first?.metadata?.uid ?? '')?.metadata.uid).toBe(mirrorOf()?.metadata?.uid), 20_000);

    const before = mirrorOf()?.metadata?.uid;
    await w.client.delete({} as never, { namespace: 'default', name: 'web-n' });
    await vi.waitFor(() => expect(mirrorOf()?.metadata?.uid).not.toBe(before), 20_000);
    expect(mirrorOf()).toBeDefined();
    expect(told).toHaveLength(1);

    writeFileSync(join(dir, 'd/web.yaml'), manifest('', 'busybox:2'));
    await vi.waitFor(() => expect(told).toEqual(['+web-n busybox:1', '-web-n busybox:1', '+web-n busybox:2']), 20_000);
    await vi.waitFor(() => expect(mirrorOf()?.spec?.containers[0]?.image).toBe('busybox:2'), 20_000);

    rmSync(join(dir, 'd/web.yaml'));
    await vi.waitFor(() => expect(mirrorOf()).toBeUndefined(), 20_000);
    expect(told.at(-1)).toBe('-web-n busybox:2');
    stop.abort(new Error('the test is over'));
    await running;
  });

  it('are known before the list of pods counts as complete', async () => {
    const w = world();
    writeFileSync(join(dir, 'd/web.yaml'), manifest());
    const statics = createStaticPods(
      { nodeName: 'n' },
      {
        manifests: createManifestSource({ path: join(dir, 'd'), nodeName: 'n' }, { clock: systemClock, log: silentLogger }),
        informer: w.informer,
        client: w.client,
        node: () => undefined,
        status: () => ({ setMirror: () => undefined }),
        log: silentLogger,
      },
    );
    const stop = new AbortController();
    const seen = statics.synced.then(() => statics.list().map((p) => p.metadata?.name));
    await w.informer.synced;
    const running = statics.run(stop.signal);
    expect(await seen).toEqual(['web-n']);
    stop.abort(new Error('the test is over'));
    await running;
  });

  it('end as a whole when one part fails, so that they can be started again', async () => {
    const w = world();
    const manifests = {
      ready: Promise.resolve(),
      pods: () => [],
      run: async () => {
        await vi.waitFor(() => expect(w.handlers.size).toBe(1), 20_000);
        throw new Error('no watches left');
      },
    };
    const statics = createStaticPods(
      { nodeName: 'n' },
      {
        manifests,
        informer: w.informer,
        client: w.client,
        node: () => undefined,
        status: () => ({ setMirror: () => undefined }),
        log: silentLogger,
      },
    );
    await expect(statics.run(new AbortController().signal)).rejects.toThrow('no watches left');
    expect(w.handlers.size).toBe(0);
  });
});

it('static pods of a URL: headers, lists, and the last good answer', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'url-')), 'last.json');
  const two = {
    apiVersion: 'v1',
    kind: 'PodList',
    items: ['a', 'b'].map((name) => ({ metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }] } })),
  };
  let answer = { code: 200, body: JSON.stringify(two) };
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers['x-who'] as string | undefined);
    response.writeHead(answer.code).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pods`;
  const start = () => {
    const abort = new AbortController();
    const source = createUrlSource(
      { url, headers: { 'X-Who': ['me'] }, intervalMs: 10, nodeName: 'n', file },
      { clock: systemClock, log: silentLogger },
    );
    const changes: string[][] = [];
    const done = source.run(() => changes.push(source.pods().map((p) => p.metadata.name)), abort.signal);
    return { source, changes, stop: async () => (abort.abort(), await done) };
  };
  try {
    const first = start();
    await first.source.ready;
    expect(first.changes).toEqual([['a-n', 'b-n']]);
    expect(first.source.pods()[0]?.metadata.annotations?.['kubernetes.io/config.source']).toBe('http');
    expect(seen[0]).toBe('me');
    answer = { code: 200, body: manifest() };
    await vi.waitFor(() => expect(first.changes[1]).toEqual(['web-n']), 20_000);
    answer = { code: 500, body: '' };
    const { length } = seen;
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(length + 1), 20_000);
    expect(first.changes).toHaveLength(2);
    await first.stop();
    const second = start();
    await second.source.ready;
    expect(second.changes).toEqual([['web-n']]);
    answer = { code: 200, body: '' };
    await vi.waitFor(() => expect(second.changes[1]).toEqual([]), 20_000);
    await second.stop();
    // The file is damaged, and the URL silent.
    writeFileSync(file, 'x');
    answer = { code: 500, body: '' };
    const third = start();
    await third.source.ready;
    expect(third.source.urlAwaited?.()).toBe(true);
    expect(third.changes).toEqual([]);
    answer = { code: 200, body: '' };
    await vi.waitFor(() => expect(third.source.urlAwaited?.()).toBe(false), 20_000);
    // Nothing can be written any more.
    rmSync(dirname(file), { recursive: true });
    writeFileSync(dirname(file), '');
    answer = { code: 200, body: manifest() };
    await vi.waitFor(() => expect(third.changes.at(-1)).toEqual(['web-n']), 20_000);
    await third.stop();
    rmSync(dirname(file));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
