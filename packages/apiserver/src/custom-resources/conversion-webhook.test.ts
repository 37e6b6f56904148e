import { customResourceDefinition, type CustomResourceDefinition } from '@skiff/api';
import type { JsonObject, KubeObject } from '@skiff/apimachinery';
import { silentLogger, systemClock } from '@skiff/component-base';
import { createMemoryStore } from '@skiff/storage';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebhookClient, WebhookError } from '../admission/webhook/client.ts';
import type { ResourceRegistry } from '../contract.ts';
import { call as plainCall, type Call, request, startRegistry, stopRegistries } from '../registry/registry.fixture.ts';
import { createConversionWebhooks } from './conversion-webhook.ts';
import { CustomResources } from './custom-resources.ts';
import { hasCondition } from './definitions.ts';

let stop: (() => Promise<void>) | undefined;
afterEach(async () => {
  await stop?.();
  await stopRegistries();
});

const group = 'example.com';
const open = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
const version = (name: string, storage: boolean): JsonObject => ({
  name,
  served: true,
  storage,
  schema: open,
  subresources: { status: {}, scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } },
});
const crd = (storage = 'v1'): JsonObject => ({
  metadata: { name: `links.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural: 'links', kind: 'Link' },
    versions: [version('v1', storage === 'v1'), version('v2', storage === 'v2')],
    conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: 'https://conv.example.com/' } } },
  },
});

interface Review {
  request: { uid: string; desiredAPIVersion: string; objects: JsonObject[] };
}
type Spec = { hostPort?: string; host?: string; port?: string; replicas?: number };

/** v1 has hostPort, v2 host and port. */
function convert(object: JsonObject, to: string): JsonObject {
  const spec: Spec = { ...(object['spec'] as Spec) };
  if (to.endsWith('/v2')) {
    const [host = '', port = ''] = (spec.hostPort ?? '').split(':');
    delete spec.hostPort;
    Object.assign(spec, { host, port });
  } else {
    spec.hostPort = `${spec.host ?? ''}:${spec.port ?? ''}`;
    delete spec.host;
    delete spec.port;
  }
  return { ...object, apiVersion: to, spec: spec as JsonObject };
}

interface Fixture {
  registry: ResourceRegistry;
  /** Objects in each call. */
  calls: number[];
  /** What the webhook does instead of its work. */
  answerWith: ((review: Review) => unknown) | undefined;
}

async function start(): Promise<Fixture> {
  const fixture: Partial<Fixture> = { calls: [], answerWith: undefined };
  const client: WebhookClient = {
    post: async (_target, body) => {
      const review = body as unknown as Review;
      const { uid, desiredAPIVersion, objects } = review.request;
      fixture.calls?.push(objects.length);
      await Promise.resolve();
      if (fixture.answerWith !== undefined) return fixture.answerWith(review);
      const convertedObjects = objects.map((o) => convert(o, desiredAPIVersion));
      return { ...body, response: { uid, result: { status: 'Success' }, convertedObjects } };
    },
  };
  const webhooks = createConversionWebhooks({ objects: () => registry.objects, client: () => client });
  const registry = await startRegistry(createMemoryStore(), webhooks);
  fixture.registry = registry;
  const controller = new AbortController();
  const running = new CustomResources({ registry, clock: systemClock, log: silentLogger }).run(controller.signal);
  stop = async () => {
    controller.abort();
    await running;
  };
  await plainCall(registry, { verb: 'create', ...crds, body: crd() });
  await served(registry, (d) => hasCondition(d, 'Established'));
  return fixture as Fixture;
}
const crds = { resource: 'customresourcedefinitions', group: 'apiextensions.k8s.io', namespace: '' };
const get = (registry: ResourceRegistry): CustomResourceDefinition | undefined =>
  registry.objects.get<CustomResourceDefinition>(customResourceDefinition, '', `links.${group}`) as CustomResourceDefinition | undefined;

/** Resolves when the definition is so and is followed. */
function served(registry: ResourceRegistry, wanted: (d: CustomResourceDefinition) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      const d = get(registry);
      if (d === undefined || !wanted(d)) return;
      subscription[Symbol.dispose]();
      setImmediate(resolve);
    };
    const subscription = registry.objects.subscribe<CustomResourceDefinition>(customResourceDefinition, look);
    look();
  });
}
async function storeAs(registry: ResourceRegistry, name: string): Promise<void> {
  const body = structuredClone(get(registry)) as CustomResourceDefinition;
  for (const v of body.spec.versions) v.storage = v.name === name;
  await plainCall(registry, { verb: 'update', ...crds, name: `links.${group}`, body });
  await served(registry, (d) => d.spec.versions.some((v) => v.name === name && v.storage));
}

type Link = KubeObject & { spec: Spec; status?: JsonObject };
const call = <T = Link>(f: Fixture, v: string, c: Omit<Call, 'resource'>) =>
  plainCall<T>(f.registry, { resource: 'links', group, version: v, ...c });
const link = (v: string, name: string, spec: Spec): JsonObject => ({
  kind: 'Link',
  apiVersion: `${group}/${v}`,
  metadata: { name },
  spec: spec as JsonObject,
});

describe('custom resources converted by a webhook', () => {
  it('are read and written in any version, and shown as others see them', async () => {
    const f = await start();
    await call(f, 'v1', { verb: 'create', body: link('v1', 'a', { hostPort: 'h:1' }) });
    expect(f.calls).toEqual([]);
    const read = await call(f, 'v2', { verb: 'get', name: 'a' });
    expect(read.object.spec).toEqual({ host: 'h', port: '1' });
    const again = await call(f, 'v2', { verb: 'get', name: 'a' });
    expect(again.object).toEqual(read.object);
    expect(f.calls).toEqual([1]);

    const made = await call(f, 'v2', { verb: 'create', body: link('v2', 'b', { host: 'x', port: '2' }) });
    expect([made.code, made.object.spec]).toEqual([201, { host: 'x', port: '2' }]);
    expect((await call(f, 'v1', { verb: 'get', name: 'b' })).object.spec).toEqual({ hostPort: 'x:2' });

    const patched = await call(f, 'v2', {
      verb: 'patch',
      name: 'a',
      contentType: 'application/merge-patch+json',
      body: { spec: { port: '9', replicas: 3 } },
    });
    expect(patched.object.spec).toEqual({ host: 'h', port: '9', replicas: 3 });
    expect((await call(f, 'v1', { verb: 'get', name: 'a' })).object.spec).toEqual({ hostPort: 'h:9', replicas: 3 });
    const revision = patched.object.metadata?.resourceVersion;
    const same = await call(f, 'v2', {
      verb: 'patch',
      name: 'a',
      contentType: 'application/merge-patch+json',
      body: { spec: { port: '9' } },
    });
    expect(same.object.metadata?.resourceVersion).toBe(revision);

    const scale = await call<{ spec: { replicas: number } } & KubeObject>(f, 'v2', { verb: 'get', name: 'a', subresource: 'scale' });
    expect(scale.object.spec.replicas).toBe(3);
    scale.object.spec.replicas = 5;
    await call(f, 'v2', { verb: 'update', name: 'a', subresource: 'scale', body: scale.object });
    expect((await call(f, 'v1', { verb: 'get', name: 'a' })).object.spec).toEqual({ hostPort: 'h:9', replicas: 5 });
  });

  it('keep whose fields are whose in each version', async () => {
    const f = await start();
    const apply = (v: string, manager: string, spec: Spec, force = false) =>
      call(f, v, {
        verb: 'patch',
        name: 'a',
        query: `fieldManager=${manager}${force ? '&force=true' : ''}`,
        contentType: 'application/apply-patch+yaml',
        body: link(v, 'a', spec),
      });
    await apply('v1', 'one', { hostPort: 'h:1' });
    await expect(apply('v2', 'two', { host: 'other' })).rejects.toMatchObject({
      reason: 'Conflict',
      details: { causes: [{ field: '.spec.hostPort' }] },
    });
    const taken = await apply('v2', 'two', { host: 'other' }, true);
    expect(taken.object.spec).toEqual({ host: 'other', port: '1' });
    expect(taken.object.metadata?.managedFields?.map((m) => [m.manager, m.apiVersion, m.fieldsV1])).toEqual([
      ['one', `${group}/v1`, { 'f:spec': {} }],
      ['two', `${group}/v2`, { 'f:spec': { '.': {}, 'f:host': {} } }],
    ]);
  });

  it('of several stored versions are listed with one call', async () => {
    const f = await start();
    for (const name of ['a', 'b', 'c']) await call(f, 'v1', { verb: 'create', body: link('v1', name, { hostPort: `${name}:1` }) });
    await storeAs(f.registry, 'v2');
    expect(get(f.registry)?.status?.storedVersions).toEqual(['v1', 'v2']);
    await call(f, 'v2', { verb: 'create', body: link('v2', 'd', { host: 'd', port: '1' }) });
    expect(f.calls).toEqual([]);
    const list = await call<{ items: Link[] }>(f, 'v2', { verb: 'list' });
    expect(list.object.items.map((o) => o.spec.host)).toEqual(['a', 'b', 'c', 'd']);
    expect(f.calls).toEqual([3]);
    const old = await call<{ items: Link[] }>(f, 'v1', { verb: 'list' });
    expect(old.object.items.map((o) => o.spec.hostPort)).toEqual(['a:1', 'b:1', 'c:1', 'd:1']);
    expect(f.calls).toEqual([3, 1]);
    // A write brings an object to the version that is stored now, though it changes nothing.
    const before = await call(f, 'v2', { verb: 'get', name: 'a' });
    const after = await call(f, 'v2', { verb: 'update', name: 'a', body: before.object });
    expect(after.object.metadata?.resourceVersion).not.toBe(before.object.metadata?.resourceVersion);
  });

  it('are watched: events wait for their conversion, in order', async () => {
    const f = await start();
    await call(f, 'v1', { verb: 'create', body: link('v1', 'a', { hostPort: 'a:1' }) });
    const frames: string[] = [];
    let arrived: () => void = () => undefined;
    const controller = new AbortController();
    const endpoint = f.registry.lookup(group, 'v2', 'links', '');
    const watching = endpoint?.watch?.(
      {
        ...request({
          verb: 'watch',
          resource: 'links',
          group,
          version: 'v2',
          query: 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
        }),
        signal: controller.signal,
      },
      () => ({
        write: (b) => {
          frames.push(...b.toString('utf8').trim().split('\n'));
          arrived();
          return 0;
        },
        drained: () => Promise.resolve(),
        end: () => undefined,
        destroy: () => undefined,
      }),
    );
    const until = (n: number): Promise<void> =>
      new Promise((resolve) => {
        arrived = () => (frames.length >= n ? resolve() : undefined);
        arrived();
      });
    await until(2);
    await call(f, 'v1', { verb: 'create', body: link('v1', 'b', { hostPort: 'b:1' }) });
    await call(f, 'v2', { verb: 'create', body: link('v2', 'c', { host: 'c', port: '1' }) });
    await call(f, 'v1', { verb: 'delete', name: 'a' });
    await until(5);
    const seen = frames.map((line) => JSON.parse(line) as { type: string; object: Link });
    expect(seen.map((e) => [e.type, e.object.spec?.host])).toEqual([
      ['ADDED', 'a'],
      ['BOOKMARK', undefined],
      ['ADDED', 'b'],
      ['ADDED', 'c'],
      ['DELETED', 'a'],
    ]);
    // A webhook that fails ends the watch, and nothing else.
    f.answerWith = () => {
      throw new WebhookError('it is down');
    };
    await call(f, 'v1', { verb: 'create', body: link('v1', 'z', { hostPort: 'z:1' }) });
    await watching;
    expect(JSON.parse(frames.at(-1) ?? '')).toMatchObject({ type: 'ERROR', object: { message: /it is down/, code: 500 } as never });
    expect((await call(f, 'v1', { verb: 'get', name: 'z' })).code).toBe(200);
  });

  const failed = `conversion webhook for ${group}/v1, Kind=Link`;
  const success = (review: Review, convertedObjects: unknown[]): unknown => ({
    kind: 'ConversionReview',
    apiVersion: 'apiextensions.k8s.io/v1',
    response: { uid: review.request.uid, result: { status: 'Success' }, convertedObjects },
  });
  const changed = (review: Review, metadata: JsonObject): unknown =>
    success(
      review,
      review.request.objects.map((o) => ({ ...convert(o, `${group}/v2`), metadata: { ...(o['metadata'] as JsonObject), ...metadata } })),
    );
  it.each<[string, (r: Review) => unknown, string]>([
    ['nothing', () => null, `${failed} failed: the answer is no ConversionReview`],
    ['no response', () => ({ kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1' }), `${failed} failed: no response provided`],
    [
      'another uid',
      () => ({ kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1', response: { uid: 'x' } }),
      `${failed} failed: expected response.uid=`,
    ],
    [
      'a failure',
      (r) => ({
        kind: 'ConversionReview',
        apiVersion: 'apiextensions.k8s.io/v1',
        response: { uid: r.request.uid, result: { status: 'Failed', message: 'no way' } },
      }),
      `${failed} failed: no way`,
    ],
    ['too few objects', (r) => success(r, []), `${failed} returned 0 objects, expected 1`],
    ['the wrong version', (r) => success(r, r.request.objects), `invalid groupVersion (expected ${group}/v2, received ${group}/v1)`],
    ['another name', (r) => changed(r, { name: 'evil' }), `${failed} returned invalid object: must have the same name: a != evil`],
    ['another uid of the object', (r) => changed(r, { uid: 'evil' }), 'must have the same UID'],
    [
      'a bad label',
      (r) => changed(r, { labels: { '-': 'x' } }),
      `${failed} returned invalid metadata: metadata.labels: Invalid value: "-"`,
    ],
  ])('are not believed a webhook that answers with %s', async (_, answer, message) => {
    const f = await start();
    await call(f, 'v1', { verb: 'create', body: link('v1', 'a', { hostPort: 'a:1' }) });
    f.answerWith = answer;
    const error = await call(f, 'v2', { verb: 'get', name: 'a' }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 500, reason: '' });
    expect((error as Error).message).toContain(message);
    await expect(call(f, 'v2', { verb: 'list' })).rejects.toThrow(failed);
    await expect(call(f, 'v2', { verb: 'delete', name: 'a' })).rejects.toThrow(failed);
    // The stored version needs no webhook.
    expect((await call(f, 'v1', { verb: 'get', name: 'a' })).object.spec).toEqual({ hostPort: 'a:1' });
  });

  it('keep their metadata, but for labels and annotations', async () => {
    const f = await start();
    await call(f, 'v1', { verb: 'create', body: link('v1', 'a', { hostPort: 'a:1' }) });
    f.answerWith = (r) => changed(r, { labels: { seen: 'yes' }, generation: 99, finalizers: ['x/y'] });
    const { metadata } = (await call(f, 'v2', { verb: 'get', name: 'a' })).object;
    expect(metadata).toMatchObject({ labels: { seen: 'yes' }, generation: 1 });
    expect(metadata?.finalizers).toBeUndefined();
  });

  it('go with their definition, though the webhook is gone', async () => {
    const f = await start();
    await call(f, 'v1', { verb: 'create', body: link('v1', 'a', { hostPort: 'a:1' }) });
    f.answerWith = () => {
      throw new WebhookError('it is gone');
    };
    const gone = new Promise<void>((resolve) => {
      f.registry.objects.subscribe<CustomResourceDefinition>(customResourceDefinition, (_, object) =>
        object === undefined ? resolve() : undefined,
      );
    });
    await plainCall(f.registry, { verb: 'delete', ...crds, name: `links.${group}` });
    await gone;
  });
});
