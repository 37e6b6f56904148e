import { lease as leases } from '@skiff/api';
import type { JsonObject, KubeObject, ResourceDefinition } from '@skiff/apimachinery';
import { createMemoryStore } from '@skiff/storage';
import { afterEach, describe, expect, it } from 'vitest';
import type { ResourceRegistry, WatchSink } from '../contract.ts';
import { call, request, startRegistry, stopRegistries } from './registry.fixture.ts';

afterEach(stopRegistries);

const configMap = (name: string, more: JsonObject = {}): JsonObject => ({ metadata: { name }, ...more });

describe('registry', () => {
  it('creates, reads, lists and deletes', async () => {
    const registry = await startRegistry();
    const made = await call(registry, { verb: 'create', resource: 'configmaps', body: configMap('a', { data: { k: 'v' } }) });
    expect(made.code).toBe(201);
    expect(made.object).toMatchObject({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { name: 'a', namespace: 'default' },
      data: { k: 'v' },
    });
    const read = await call(registry, { verb: 'get', resource: 'configmaps', name: 'a' });
    expect(read.object).toEqual(made.object);
    const list = await call<{ items: KubeObject[] }>(registry, { verb: 'list', resource: 'configmaps' });
    expect(list.object.items).toHaveLength(1);
    expect(list.object.items[0]?.kind).toBeUndefined();
    await expect(call(registry, { verb: 'create', resource: 'configmaps', body: configMap('a') })).rejects.toMatchObject({
      message: 'configmaps "a" already exists',
    });
    const gone = await call<JsonObject>(registry, { verb: 'delete', resource: 'configmaps', name: 'a' });
    expect(gone.object).toMatchObject({ kind: 'Status', status: 'Success', details: { name: 'a', kind: 'configmaps' } });
    await expect(call(registry, { verb: 'get', resource: 'configmaps', name: 'a' })).rejects.toMatchObject({
      message: 'configmaps "a" not found',
    });
  });

  it('takes writes of a leader only while the Lease is its own, through whichever server they come', async () => {
    const store = createMemoryStore();
    const [a, b] = [await startRegistry(store), await startRegistry(store)];
    const lease = { resource: 'leases', group: 'coordination.k8s.io' };
    const spec = (holderIdentity: string, leaseTransitions: number): JsonObject => ({ holderIdentity, leaseTransitions });
    await call(a, { ...lease, verb: 'create', body: configMap('l', { spec: spec('one/1', 3) }) });
    const leader = 'default/l/3/one%2F1';
    const write = (r: ResourceRegistry, name: string, claim = leader): Promise<{ code: number }> =>
      call(r, { verb: 'create', resource: 'configmaps', body: configMap(name), leader: claim });
    expect((await write(b, 'x')).code).toBe(201);
    // A renewal between the look at the Lease and the commit only costs another look.
    await Promise.all([
      ...Array.from({ length: 20 }, (_, i) => write(i % 2 === 0 ? a : b, `x${i}`)),
      ...Array.from({ length: 20 }, (_, i) =>
        a.objects.update(leases as ResourceDefinition<KubeObject & { spec?: JsonObject }>, 'default', 'l', (draft) => ({
          ...draft,
          spec: { ...draft.spec, leaseDurationSeconds: i + 1 },
        })),
      ),
    ]);
    await call(b, {
      ...lease,
      verb: 'patch',
      name: 'l',
      body: { spec: spec('two', 4) },
      contentType: 'application/merge-patch+json',
    });
    const deposed = { reason: 'Conflict', details: { causes: [{ reason: 'LeaderDeposed' }] } };
    const edit = { resource: 'configmaps', name: 'x', leader };
    for (const r of [a, b]) {
      await expect(write(r, 'late')).rejects.toMatchObject(deposed);
      await expect(call(r, { ...edit, verb: 'update', body: configMap('x', { data: { k: 'v' } }) })).rejects.toMatchObject(deposed);
      await expect(call(r, { ...edit, verb: 'delete' })).rejects.toMatchObject(deposed);
    }
    await expect(write(a, 'late', 'default/none/0/one')).rejects.toMatchObject(deposed);
    await expect(write(a, 'late', 'nonsense')).rejects.toMatchObject({ reason: 'BadRequest' });
    expect((await write(a, 'later', 'default/l/4/two')).code).toBe(201);
    expect((await call<{ items: KubeObject[] }>(a, { verb: 'list', resource: 'configmaps' })).object.items).toHaveLength(22);
  });

  it('pages at one revision', async () => {
    const registry = await startRegistry();
    for (let i = 0; i < 5; i++) await call(registry, { verb: 'create', resource: 'configmaps', body: configMap(`c${i}`) });
    interface Page {
      metadata: { continue?: string; remainingItemCount?: number; resourceVersion: string };
      items: KubeObject[];
    }
    const first = await call<Page>(registry, { verb: 'list', resource: 'configmaps', query: 'limit=2' });
    expect(first.object.metadata.remainingItemCount).toBe(3);
    await call(registry, { verb: 'delete', resource: 'configmaps', name: 'c3' });
    const token = encodeURIComponent(first.object.metadata.continue ?? '');
    const second = await call<Page>(registry, { verb: 'list', resource: 'configmaps', query: `limit=9&continue=${token}` });
    expect(second.object.items.map((i) => i.metadata?.name)).toEqual(['c2', 'c3', 'c4']);
    expect(second.object.metadata.resourceVersion).toBe(first.object.metadata.resourceVersion);
    const exact = await call<Page>(registry, {
      verb: 'list',
      resource: 'configmaps',
      query: `resourceVersion=${first.object.metadata.resourceVersion}&resourceVersionMatch=Exact`,
    });
    expect(exact.object.items).toHaveLength(5);
  });

  it('updates with optimistic locking, and writes nothing when nothing changes', async () => {
    const registry = await startRegistry();
    const made = await call(registry, { verb: 'create', resource: 'configmaps', body: configMap('a', { data: { k: 'v' } }) });
    const same = await call(registry, { verb: 'update', resource: 'configmaps', name: 'a', body: made.object });
    expect(same.object.metadata?.resourceVersion).toBe(made.object.metadata?.resourceVersion);
    const changed = await call(registry, { verb: 'update', resource: 'configmaps', name: 'a', body: { ...made.object, data: { k: 'w' } } });
    expect(Number(changed.object.metadata?.resourceVersion)).toBeGreaterThan(Number(made.object.metadata?.resourceVersion));
    await expect(call(registry, { verb: 'update', resource: 'configmaps', name: 'a', body: made.object })).rejects.toMatchObject({
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    });
    const patched = await call<KubeObject & { data: JsonObject }>(registry, {
      verb: 'patch',
      resource: 'configmaps',
      name: 'a',
      contentType: 'application/merge-patch+json',
      body: { data: { k: null, l: '1' } },
    });
    expect(patched.object.data).toEqual({ l: '1' });
  });

  it('finds nothing to patch before it reads a patch', async () => {
    const registry = await startRegistry();
    const patch = (name: string): Promise<unknown> =>
      call(registry, { verb: 'patch', resource: 'configmaps', name, contentType: 'application/merge-patch+json', body: [] });
    await expect(patch('a')).rejects.toMatchObject({ reason: 'NotFound' });
    await call(registry, { verb: 'create', resource: 'configmaps', body: { metadata: { name: 'a' } } });
    await expect(patch('a')).rejects.toMatchObject({ reason: 'BadRequest' });
  });

  it('keeps an object until its finalizers are gone', async () => {
    const registry = await startRegistry();
    await call(registry, { verb: 'create', resource: 'configmaps', body: { metadata: { name: 'a', finalizers: ['x.io/y'] } } });
    const marked = await call(registry, { verb: 'delete', resource: 'configmaps', name: 'a' });
    expect(marked.object.metadata).toMatchObject({ deletionGracePeriodSeconds: 0, finalizers: ['x.io/y'] });
    const last = await call(registry, {
      verb: 'patch',
      resource: 'configmaps',
      name: 'a',
      contentType: 'application/merge-patch+json',
      body: { metadata: { finalizers: null } },
    });
    expect(last.object.metadata?.resourceVersion).toBe(marked.object.metadata?.resourceVersion);
    await expect(call(registry, { verb: 'get', resource: 'configmaps', name: 'a' })).rejects.toMatchObject({ reason: 'NotFound' });
  });

  it('watches: state, end of state, selector transitions, deletion', async () => {
    const registry = await startRegistry();
    await call(registry, { verb: 'create', resource: 'configmaps', body: { metadata: { name: 'a', labels: { x: '1' } } } });
    const frames: { type: string; object: KubeObject }[] = [];
    const client = new AbortController();
    const sink: WatchSink = {
      write: (frame) => {
        for (const line of frame.toString('utf8').split('\n')) if (line !== '') frames.push(JSON.parse(line) as (typeof frames)[number]);
        return 0;
      },
      drained: async () => undefined,
      end: () => undefined,
      destroy: () => undefined,
    };
    const r = {
      ...request({ verb: 'watch', resource: 'configmaps', query: 'watch=1&labelSelector=x%3D1&allowWatchBookmarks=true' }),
      signal: client.signal,
    };
    const watching = registry.lookup('', 'v1', 'configmaps', '')?.watch?.(r, () => sink);
    const merge = (name: string, body: unknown): Promise<unknown> =>
      call(registry, { verb: 'patch', resource: 'configmaps', name, contentType: 'application/merge-patch+json', body });
    await expect.poll(() => frames.length).toBe(2);
    await merge('a', { data: { k: 'v' } });
    await merge('a', { metadata: { labels: { x: '2' } } });
    await merge('a', { metadata: { labels: { x: '1' } } });
    await call(registry, { verb: 'delete', resource: 'configmaps', name: 'a' });
    await expect.poll(() => frames.map((f) => f.type)).toEqual(['ADDED', 'BOOKMARK', 'MODIFIED', 'DELETED', 'ADDED', 'DELETED']);
    expect(frames[1]?.object.metadata?.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
    expect(frames[3]?.object.metadata?.labels).toEqual({ x: '1' });
    const versions = frames.slice(2).map((f) => Number(f.object.metadata?.resourceVersion));
    expect(versions).toEqual([...versions].sort((x, y) => x - y));
    client.abort();
    await watching;
  });

  it('fails a LIST that holds an undecodable value, and names its key', async () => {
    const store = createMemoryStore();
    await store.put('/registry/configmaps/default/broken', Buffer.from('{"kind":"ConfigMap","metadata":7}'), { expected: 0 });
    const registry = await startRegistry(store);
    await call(registry, { verb: 'create', resource: 'configmaps', body: configMap('good') });
    await expect(call(registry, { verb: 'list', resource: 'configmaps' })).rejects.toThrow('/registry/configmaps/default/broken');
    await expect(call(registry, { verb: 'get', resource: 'configmaps', name: 'broken' })).rejects.toMatchObject({ code: 500 });
    expect((await call(registry, { verb: 'get', resource: 'configmaps', name: 'good' })).code).toBe(200);
  });

  it('gives objects of older writers the defaults of today, without a write', async () => {
    const store = createMemoryStore();
    const old = { kind: 'Service', apiVersion: 'v1', metadata: { name: 's', namespace: 'default', uid: 'u' }, spec: { clusterIP: 'None' } };
    const written = await store.put('/registry/services/specs/default/s', Buffer.from(`${JSON.stringify(old)}\n`), { expected: 0 });
    const registry = await startRegistry(store);
    const read = await call<KubeObject & { spec: JsonObject }>(registry, { verb: 'get', resource: 'services', name: 's' });
    expect(read.object.spec).toMatchObject({ type: 'ClusterIP', sessionAffinity: 'None' });
    expect(read.object.metadata?.resourceVersion).toBe(String(written.revision));
  });

  it('applies: creates, shares fields, tells of conflicts, lets go of what is no longer applied', async () => {
    const registry = await startRegistry();
    const apply = (
      manager: string,
      data: JsonObject,
      force = false,
    ): Promise<{ code: number; object: KubeObject & { data?: JsonObject } }> =>
      call(registry, {
        verb: 'patch',
        resource: 'configmaps',
        name: 'a',
        contentType: 'application/apply-patch+yaml',
        query: `fieldManager=${manager}${force ? '&force=true' : ''}`,
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data },
      });
    expect((await apply('one', { x: '1', y: '1' })).code).toBe(201);
    await expect(apply('two', { x: '2' })).rejects.toMatchObject({ reason: 'Conflict' });
    expect((await apply('two', { x: '2' }, true)).object.data).toEqual({ x: '2', y: '1' });
    const after = await apply('one', {});
    expect(after.object.data).toEqual({ x: '2' });
    const again = await apply('one', {});
    expect(again.object.metadata?.resourceVersion).toBe(after.object.metadata?.resourceVersion);
  });

  it('applies a Scale: its manager owns the replicas of the workload, others’ are contested', async () => {
    const registry = await startRegistry();
    const labels = { app: 'd' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    await call(registry, {
      verb: 'create',
      group: 'apps',
      resource: 'deployments',
      query: 'fieldManager=creator',
      body: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        spec: { replicas: 2, selector: { matchLabels: labels }, template },
      },
    });
    const apply = (spec: JsonObject, o: { query?: string; kind?: string } = {}) =>
      call(registry, {
        verb: 'patch',
        group: 'apps',
        resource: 'deployments',
        name: 'd',
        subresource: 'scale',
        contentType: 'application/apply-patch+yaml',
        query: `fieldManager=scaler${o.query ?? ''}`,
        body: { apiVersion: 'autoscaling/v1', kind: o.kind ?? 'Scale', metadata: { name: 'd' }, spec },
      });
    await expect(apply({ replicas: 3 })).rejects.toMatchObject({ reason: 'Conflict', details: { causes: [{ field: '.spec.replicas' }] } });
    expect((await apply({ replicas: 3 }, { query: '&force=true' })).object).toMatchObject({ kind: 'Scale', spec: { replicas: 3 } });
    const live = (await call(registry, { verb: 'get', group: 'apps', resource: 'deployments', name: 'd' })).object;
    expect(live).toMatchObject({ spec: { replicas: 3, template: { spec: { containers: [{ name: 'c' }] } } }, metadata: { generation: 2 } });
    expect(live.metadata?.managedFields?.find((m) => m.manager === 'scaler')).toMatchObject({
      operation: 'Apply',
      subresource: 'scale',
      apiVersion: 'apps/v1',
      fieldsV1: { 'f:spec': { 'f:replicas': {} } },
    });
    expect(JSON.stringify(live.metadata?.managedFields?.find((m) => m.manager === 'creator'))).not.toContain('f:replicas');
    // Given up by its only owner: nothing asks for replicas any more.
    expect((await apply({})).object).toMatchObject({ kind: 'Scale', spec: {} });
    await expect(apply({ foo: 1 })).rejects.toMatchObject({ code: 500 });
    await expect(apply({ replicas: 'x' })).rejects.toMatchObject({ code: 500 });
    await expect(apply({ replicas: -1 })).rejects.toMatchObject({ reason: 'Invalid' });
    await expect(apply({}, { kind: 'Deployment' })).rejects.toMatchObject({ reason: 'BadRequest' });
  });

  it('deletes pods with their grace period, which may only become shorter', async () => {
    const registry = await startRegistry();
    const spec = { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] };
    await call(registry, { verb: 'create', resource: 'pods', body: { metadata: { name: 'p' }, spec } });
    const marked = await call(registry, { verb: 'delete', resource: 'pods', name: 'p' });
    expect(marked.object.metadata).toMatchObject({ deletionGracePeriodSeconds: 30, generation: 2 });
    const longer = await call(registry, { verb: 'delete', resource: 'pods', name: 'p', query: 'gracePeriodSeconds=60' });
    expect(longer.object.metadata?.resourceVersion).toBe(marked.object.metadata?.resourceVersion);
    const gone = await call(registry, { verb: 'delete', resource: 'pods', name: 'p', query: 'gracePeriodSeconds=0' });
    expect(gone.object.metadata).toMatchObject({ deletionGracePeriodSeconds: 0 });
    await expect(call(registry, { verb: 'get', resource: 'pods', name: 'p' })).rejects.toMatchObject({ reason: 'NotFound' });
  });
});
