import { createFieldManager, createTypedCodec, isStatusError, type JsonObject, type KubeObject, mergeTypeOf } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { type ConfigMap, type Deployment, type Pod, builtinSchemas } from './generated/index.ts';

const now = '2026-01-01T00:00:00Z';
const later = '2026-01-01T00:01:00Z';
const schemaName = 'io.k8s.api.apps.v1.Deployment';
const codec = createTypedCodec<Deployment>(builtinSchemas, schemaName);
const config = { apiVersion: 'apps/v1', kind: 'Deployment', type: mergeTypeOf(builtinSchemas, schemaName), resetFields: ['status'] };
const manager = createFieldManager({ ...config, subresource: '' });
const statusManager = createFieldManager({ ...config, subresource: 'status', resetFields: ['spec'] });

const decode = (tree: JsonObject): Deployment => codec.decode({ value: structuredClone(tree) }).object;
const deployment = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd', ...metadata },
  spec,
});
const containers = (...list: JsonObject[]): JsonObject => ({ template: { spec: { containers: list } } });

/** Applies as the apiserver does: merges, decodes, stores the managedFields. */
function apply(live: Deployment | undefined, tree: JsonObject, o: { manager: string; force?: boolean; now?: string }): Deployment {
  const applied = manager.apply(live, structuredClone(tree), { force: false, now, ...o });
  const object = decode(applied.tree);
  if (applied.managedFields !== undefined) object.metadata!.managedFields = applied.managedFields;
  return object;
}
function update(live: Deployment, change: (draft: Deployment) => void, o: { manager: string; status?: boolean }): Deployment {
  const draft = structuredClone(live);
  change(draft);
  const managedFields = (o.status ? statusManager : manager).update(live, draft, { manager: o.manager, now: later });
  if (managedFields !== undefined) draft.metadata!.managedFields = managedFields;
  return draft;
}
const owned = (object: KubeObject, name: string): JsonObject | undefined =>
  object.metadata?.managedFields?.find((e) => e.manager === name)?.fieldsV1;
function refusal(run: () => unknown): unknown {
  try {
    run();
  } catch (e) {
    return isStatusError(e) ? { code: e.code, message: e.message, causes: e.details?.causes } : e;
  }
  return undefined;
}

describe('update', () => {
  it('gives what a create sets to its manager, but not identity, type and defaults that Go always writes', () => {
    const object = decode(
      deployment(
        { replicas: 1, ...containers({ name: 'a', image: 'i', ports: [{ containerPort: 80, protocol: 'TCP' }] }) },
        { labels: { x: 'y' } },
      ),
    );
    expect(manager.update(undefined, object, { manager: 'kubectl', now })).toEqual([
      {
        manager: 'kubectl',
        operation: 'Update',
        apiVersion: 'apps/v1',
        time: now,
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { '.': {}, 'f:x': {} } },
          'f:spec': {
            'f:replicas': {},
            'f:template': {
              'f:spec': {
                'f:containers': {
                  'k:{"name":"a"}': {
                    '.': {},
                    'f:image': {},
                    'f:name': {},
                    'f:ports': { '.': {}, 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} } },
                    'f:resources': {},
                  },
                },
              },
            },
          },
        },
      },
    ]);
  });

  const live = (): Deployment => {
    const object = decode(deployment({ replicas: 1, ...containers({ name: 'a', image: 'i' }) }, { labels: { x: 'y', z: 'q' }, uid: 'u' }));
    object.metadata!.managedFields = manager.update(undefined, object, { manager: 'creator', now })!;
    return object;
  };

  it('moves ownership, and removal takes it away', () => {
    const next = update(
      live(),
      (d) => {
        d.spec!.replicas = 3;
        delete d.metadata!.labels!['z'];
      },
      { manager: 'scaler' },
    );
    expect(owned(next, 'scaler')).toEqual({ 'f:spec': { 'f:replicas': {} } });
    expect(owned(next, 'creator')).toMatchObject({ 'f:metadata': { 'f:labels': { '.': {}, 'f:x': {} } } });
    expect(owned(next, 'creator')?.['f:spec']).not.toHaveProperty('f:replicas');
    expect(next.metadata?.managedFields?.map((e) => e.time)).toEqual([now, later]);
  });

  it('keeps the time and the very entries when nothing changes', () => {
    const object = live();
    expect(update(object, () => {}, { manager: 'creator' }).metadata?.managedFields).toEqual(object.metadata?.managedFields);
  });

  it('tells status from spec by the endpoint', () => {
    const next = update(
      live(),
      (d) => {
        d.status = { replicas: 1 };
        d.spec!.replicas = 9;
      },
      { manager: 'controller', status: true },
    );
    expect(next.metadata?.managedFields?.find((e) => e.manager === 'controller')).toMatchObject({
      subresource: 'status',
      fieldsV1: { 'f:status': { 'f:replicas': {} } },
    });
  });

  it('forgets on request, and stays silent until somebody applies', () => {
    const object = live();
    const reset = codec.decode({
      value: { ...(structuredClone(object) as unknown as JsonObject), metadata: { name: 'd', uid: 'u', managedFields: [] } },
    }).object;
    expect(manager.update(object, reset, { manager: 'x', now })).toBeUndefined();
    delete reset.metadata!.managedFields;
    expect(manager.update(reset, { ...reset, spec: { ...reset.spec!, replicas: 5 } } as Deployment, { manager: 'x', now })).toBeUndefined();
    expect(apply(reset, deployment({ replicas: 1 }), { manager: 'a' }).metadata?.managedFields?.map((e) => e.manager)).toEqual([
      'a',
      'before-first-apply',
    ]);
  });

  it('merges the oldest entries beyond ten', () => {
    const type = mergeTypeOf(builtinSchemas, 'io.k8s.api.core.v1.ConfigMap');
    const cms = createFieldManager({ apiVersion: 'v1', kind: 'ConfigMap', type, subresource: '', resetFields: [] });
    let cm: ConfigMap = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'c' }, data: {} };
    for (let i = 0; i < 13; i++) {
      const next: ConfigMap = { ...cm, data: { ...cm.data, [`k${i}`]: 'v' } };
      const managedFields = cms.update(i === 0 ? undefined : cm, next, {
        manager: `m${i}`,
        now: `2026-01-01T00:00:${String(i).padStart(2, '0')}Z`,
      })!;
      cm = { ...next, metadata: { name: 'c', managedFields } };
    }
    expect(cm.metadata?.managedFields).toHaveLength(10);
    expect(owned(cm, 'ancient-changes')).toEqual({ 'f:data': { '.': {}, 'f:k0': {}, 'f:k1': {}, 'f:k2': {}, 'f:k3': {} } });
  });
});

describe('apply', () => {
  const base = deployment({
    replicas: 3,
    ...containers({ name: 'a', image: 'a:1', env: [{ name: 'X', value: '1' }] }, { name: 'b', image: 'b:1' }),
  });

  it('creates, and owns what the configuration mentions', () => {
    const object = apply(undefined, base, { manager: 'one' });
    expect(object.metadata?.managedFields).toHaveLength(1);
    expect(owned(object, 'one')).toMatchObject({
      'f:spec': {
        'f:replicas': {},
        'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"b"}': { '.': {}, 'f:image': {}, 'f:name': {} } } } },
      },
    });
  });

  it('refuses to change what others own, naming each field', () => {
    const live = update(apply(undefined, base, { manager: 'one' }), (d) => (d.spec!.replicas = 5), { manager: 'hpa' });
    expect(refusal(() => apply(live, base, { manager: 'one' }))).toEqual({
      code: 409,
      message: 'Apply failed with 1 conflict: conflict with "hpa" using apps/v1: .spec.replicas',
      causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "hpa" using apps/v1', field: '.spec.replicas' }],
    });
    const other = deployment({ replicas: 7, ...containers({ name: 'a', image: 'a:2' }) });
    expect(refusal(() => apply(live, other, { manager: 'two' }))).toMatchObject({
      message:
        'Apply failed with 2 conflicts: conflicts with "hpa" using apps/v1:\n- .spec.replicas\nconflicts with "one":\n- .spec.template.spec.containers[name="a"].image',
    });
    const forced = apply(live, other, { manager: 'two', force: true });
    expect([forced.spec?.replicas, owned(forced, 'hpa')]).toEqual([7, undefined]);
  });

  it('shares what has the same value, and removes only what nobody owns any more', () => {
    let live = apply(undefined, base, { manager: 'one' });
    live = apply(live, deployment(containers({ name: 'b', image: 'b:1' })), { manager: 'two' });
    live = apply(live, deployment(containers({ name: 'a', image: 'a:1' })), { manager: 'one' });
    expect(live.spec?.template.spec?.containers.map((c) => c.name)).toEqual(['a', 'b']);
    expect(live.spec?.template.spec?.containers[0]?.env).toBeUndefined();
    expect(live.spec?.replicas).toBeUndefined();
    live = apply(live, deployment({}), { manager: 'two' });
    expect(live.spec?.template.spec?.containers.map((c) => c.name)).toEqual(['a']);
    expect(owned(live, 'two')).toEqual({ 'f:spec': {} });
  });

  it('removes an element with all that updaters set inside it, as they never owned the element', () => {
    let live = apply(undefined, base, { manager: 'one' });
    live = update(live, (d) => (d.spec!.template.spec!.containers[0]!.workingDir = '/w'), { manager: 'user' });
    live = apply(live, deployment({ replicas: 3, ...containers({ name: 'b', image: 'b:1' }) }), { manager: 'one' });
    expect(live.spec?.template.spec?.containers).toEqual([{ name: 'b', image: 'b:1', resources: {} }]);
    expect(owned(live, 'user')).toBeUndefined();
  });

  it('leaves no time where a new owner changes nothing', () => {
    const live = apply(apply(undefined, base, { manager: 'one' }), deployment({ replicas: 3 }), { manager: 'two' });
    expect(live.metadata?.managedFields?.map((e) => [e.manager, e.time])).toEqual([
      ['two', undefined],
      ['one', now],
    ]);
  });

  it('orders lists by the configuration, with live-only elements in their places', () => {
    let live = apply(undefined, base, { manager: 'one' });
    live = apply(live, deployment(containers({ name: 'z', image: 'z' }, { name: 'b', image: 'b:1' })), { manager: 'two' });
    expect(live.spec?.template.spec?.containers.map((c) => c.name)).toEqual(['a', 'z', 'b']);
  });

  it.each([{}, { resources: null }, { resources: {} }])('sees no conflict in an empty map that Go writes as null: %j', (given) => {
    const type = mergeTypeOf(builtinSchemas, 'io.k8s.api.core.v1.Pod');
    const pods = createFieldManager({ apiVersion: 'v1', kind: 'Pod', type, subresource: 'status', resetFields: ['spec'] });
    const tree = (last: JsonObject): JsonObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      status: { nodeAllocatableResourceClaimStatuses: [{ resourceClaimName: 'r', ...last }] },
    });
    const one = pods.apply(undefined, tree({}), { manager: 'one', force: false, now });
    const live = createTypedCodec<Pod>(builtinSchemas, 'io.k8s.api.core.v1.Pod').decode({ value: one.tree }).object;
    live.metadata!.managedFields = one.managedFields!;
    expect(pods.apply(live, tree(given), { manager: 'two', force: false, now }).managedFields).toHaveLength(2);
  });

  it('takes another order of a set within an atomic list for a conflict, and for what an update changes', () => {
    const type = mergeTypeOf(builtinSchemas, 'io.k8s.api.core.v1.Pod');
    const pods = createFieldManager({ apiVersion: 'v1', kind: 'Pod', type, subresource: 'status', resetFields: ['spec'] });
    const tree = (...containers: string[]): JsonObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      status: { nodeAllocatableResourceClaimStatuses: [{ resourceClaimName: 'r', containers }] },
    });
    const decodePod = (value: JsonObject): Pod => createTypedCodec<Pod>(builtinSchemas, 'io.k8s.api.core.v1.Pod').decode({ value }).object;
    const one = pods.apply(undefined, tree('a', 'b'), { manager: 'one', force: false, now });
    const live = decodePod(one.tree);
    live.metadata!.managedFields = one.managedFields!;
    expect(pods.apply(live, tree('a', 'b'), { manager: 'two', force: false, now }).managedFields).toHaveLength(2);
    expect(refusal(() => pods.apply(live, tree('b', 'a'), { manager: 'two', force: false, now }))).toMatchObject({ code: 409 });
    const other = decodePod(tree('b', 'a'));
    other.metadata!.managedFields = one.managedFields!;
    expect(pods.update(live, other, { manager: 'three', now: later })?.map((e) => e.manager)).toEqual(['three']);
  });

  it('keeps the time when nothing changes', () => {
    const live = apply(undefined, base, { manager: 'one' });
    expect(apply(live, base, { manager: 'one', now: later })).toEqual(live);
  });

  it.each<[string, JsonObject, string]>([
    [
      'an unknown field',
      deployment({ foo: 1 }),
      'failed to create typed patch object (/d; apps/v1, Kind=Deployment): .spec.foo: field not declared in schema',
    ],
    [
      'a wrong type',
      deployment({ replicas: 'x' }),
      'failed to create typed patch object (/d; apps/v1, Kind=Deployment): .spec.replicas: expected numeric (int or float), got string',
    ],
    [
      'duplicates',
      deployment(containers({ name: 'a' }, { name: 'a' })),
      'failed to create typed patch object (/d; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name="a"]',
    ],
    ['managedFields', deployment({}, { managedFields: [] }), 'metadata.managedFields must be nil'],
    ['another kind', { apiVersion: 'v1', kind: 'ConfigMap' }, 'invalid object type: /v1, Kind=ConfigMap'],
    ['no version', { kind: 'Deployment' }, 'invalid object type: /, Kind=Deployment'],
  ])('refuses %s', (_, tree, message) => {
    expect(() => apply(undefined, tree, { manager: 'one' })).toThrow(message);
  });

  it('takes over what kubectl applied client-side', () => {
    const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
    const last = deployment({ replicas: 1 });
    const live = decode(deployment({ replicas: 1 }, { uid: 'u', annotations: { [annotation]: JSON.stringify(last) } }));
    live.metadata!.managedFields = manager.update(undefined, live, { manager: 'kubectl-client-side-apply', now })!;
    const next = apply(live, deployment({ replicas: 2 }), { manager: 'kubectl' });
    expect(next.spec?.replicas).toBe(2);
    expect(next.metadata?.annotations?.[annotation]).toBe(
      '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"replicas":2}}\n',
    );
    expect(refusal(() => apply(live, deployment({ replicas: 2 }), { manager: 'someone' }))).toMatchObject({ code: 409 });
  });
});
