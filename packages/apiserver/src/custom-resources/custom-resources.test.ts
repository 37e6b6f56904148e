import { getEventListeners } from 'node:events';
import { customResourceDefinition, type CustomResourceDefinition } from '@skiff/api';
import type { JsonObject, KubeObject } from '@skiff/apimachinery';
import { type Clock, silentLogger, systemClock } from '@skiff/component-base';
import { createMemoryStore } from '@skiff/storage';
import { afterEach, describe, expect, it } from 'vitest';
import type { ResourceRegistry } from '../contract.ts';
import { call as plainCall, type Call, startRegistry, stopRegistries } from '../registry/registry.fixture.ts';
import { CustomResources } from './custom-resources.ts';
import { hasCondition } from './definitions.ts';

let stop: (() => Promise<void>) | undefined;
afterEach(async () => {
  await stop?.();
  await stopRegistries();
});

const group = 'stable.example.com';
const schema = (extra: JsonObject = {}): JsonObject => ({
  openAPIV3Schema: {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          cron: { type: 'string', minLength: 1 },
          replicas: { type: 'integer', minimum: 0 },
          image: { type: 'string', default: 'none' },
          ...extra,
        },
      },
      status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
    },
  },
});
const crd = (names: Partial<CustomResourceDefinition['spec']['names']> = {}, more: JsonObject = {}): JsonObject => {
  const plural = names.plural ?? 'crontabs';
  return {
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, kind: 'CronTab', shortNames: ['ct'], ...names },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: schema(),
          subresources: {
            status: {},
            scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' },
          },
          additionalPrinterColumns: [{ name: 'Cron', type: 'string', jsonPath: '.spec.cron' }],
          selectableFields: [{ jsonPath: '.spec.cron' }],
        },
      ],
      ...more,
    },
  };
};

async function start(clock: Clock = systemClock, controller = new AbortController()): Promise<ResourceRegistry> {
  const registry = await startRegistry(createMemoryStore());
  const running = new CustomResources({ registry, clock, log: silentLogger }).run(controller.signal);
  stop = async () => {
    controller.abort();
    await running;
  };
  return registry;
}
const crds = { resource: 'customresourcedefinitions', group: 'apiextensions.k8s.io', namespace: '' };
const call = <T = KubeObject & JsonObject>(registry: ResourceRegistry, c: Omit<Call, 'resource'> & { resource?: string }) =>
  plainCall<T>(registry, { resource: 'crontabs', group, ...c });

/** Resolves when the definition is as wanted; changes are told, not polled for. */
function settled(registry: ResourceRegistry, name: string, wanted: (crd: CustomResourceDefinition | undefined) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (
        !wanted(registry.objects.get<CustomResourceDefinition>(customResourceDefinition, '', name) as CustomResourceDefinition | undefined)
      )
        return;
      subscription[Symbol.dispose]();
      // What serves it has heard of it in the same turn.
      setImmediate(resolve);
    };
    const subscription = registry.objects.subscribe<CustomResourceDefinition>(customResourceDefinition, look);
    look();
  });
}
const established = async (registry: ResourceRegistry, body = crd()): Promise<void> => {
  await plainCall(registry, { verb: 'create', ...crds, body });
  await settled(registry, (body['metadata'] as { name: string }).name, (d) => d !== undefined && hasCondition(d, 'Established'));
};

describe('custom resources', () => {
  it('are served once their names are accepted: pruned, defaulted, checked, by columns and fields', async () => {
    const registry = await start();
    expect(registry.lookup(group, 'v1', 'crontabs', '')).toBeUndefined();
    await established(registry);
    const { object, warnings } = await call(registry, {
      verb: 'create',
      body: {
        kind: 'CronTab',
        apiVersion: `${group}/v1`,
        metadata: { name: 'a' },
        spec: { cron: '* *', bogus: 1 },
        status: { replicas: 9 },
      },
    });
    expect(object).toMatchObject({
      kind: 'CronTab',
      apiVersion: `${group}/v1`,
      metadata: { generation: 1 },
      spec: { cron: '* *', image: 'none' },
    });
    expect(object['status']).toBeUndefined();
    expect(object['spec']).not.toHaveProperty('bogus');
    expect(warnings).toEqual(['unknown field "spec.bogus"']);
    await expect(
      call(registry, { verb: 'create', body: { kind: 'CronTab', apiVersion: `${group}/v1`, metadata: { name: 'b' }, spec: { cron: '' } } }),
    ).rejects.toThrow('spec.cron in body should be at least 1 chars long');
    const { object: table } = await call(registry, { verb: 'list', as: 'Table', query: 'fieldSelector=spec.cron%3D*%20*' });
    expect(table).toMatchObject({ columnDefinitions: [{ name: 'Name' }, { name: 'Cron' }], rows: [{ cells: ['a', '* *'] }] });
    const { object: none } = await call(registry, { verb: 'list', query: 'fieldSelector=spec.cron%3Dx' });
    expect(none['items']).toEqual([]);
  });

  it('keep status apart, and scale where the definition says', async () => {
    const registry = await start();
    await established(registry);
    await call(registry, {
      verb: 'create',
      body: { kind: 'CronTab', apiVersion: `${group}/v1`, metadata: { name: 'a' }, spec: { cron: 'x', replicas: 2 } },
    });
    const merge = (subresource: string, body: JsonObject) =>
      call(registry, { verb: 'patch', name: 'a', subresource, body, contentType: 'application/merge-patch+json' });
    const { object: withStatus } = await merge('status', {
      metadata: { labels: { no: 'no' } },
      spec: { cron: 'y' },
      status: { replicas: 2, selector: 'a=b' },
    });
    expect(withStatus).toMatchObject({ metadata: { generation: 1 }, spec: { cron: 'x' }, status: { replicas: 2 } });
    expect(withStatus.metadata?.labels).toBeUndefined();
    expect((await merge('', { status: { replicas: 7 } })).object).toMatchObject({ metadata: { generation: 1 }, status: { replicas: 2 } });
    expect((await merge('scale', { spec: { replicas: 5 } })).object).toMatchObject({
      kind: 'Scale',
      spec: { replicas: 5 },
      status: { replicas: 2, selector: 'a=b' },
    });
    expect((await call(registry, { verb: 'get', name: 'a' })).object).toMatchObject({
      metadata: { generation: 2 },
      spec: { replicas: 5, cron: 'x' },
    });
  });

  it('are read in every version that is served, in the schema of that version', async () => {
    const registry = await start();
    const versions = [
      { name: 'v1', served: true, storage: true, schema: schema({ old: { type: 'string' } }) },
      { name: 'v2', served: true, storage: false, schema: schema({ size: { type: 'string', default: 'small' } }) },
      { name: 'v0', served: false, storage: false, schema: schema() },
    ];
    await established(registry, crd({}, { versions }));
    await call(registry, {
      verb: 'create',
      body: { kind: 'CronTab', apiVersion: `${group}/v1`, metadata: { name: 'a' }, spec: { cron: 'x', old: 'o' } },
    });
    expect(registry.lookup(group, 'v0', 'crontabs', '')).toBeUndefined();
    // Discovery tells by the hash that both are stored as v1.
    const served = registry.definitions().filter((d) => d.group === group);
    expect(served.map((d) => [d.version, d.storageVersionHash])).toEqual(['v1', 'v2'].map((v) => [v, 'EdX2FP+L0js=']));
    const { object } = await call(registry, { verb: 'get', name: 'a', version: 'v2' });
    expect(object).toMatchObject({ apiVersion: `${group}/v2`, spec: { cron: 'x', size: 'small' } });
    expect(object['spec']).not.toHaveProperty('old');
  });

  it('go before their definition does, and a name is free again then', async () => {
    const registry = await start();
    await established(registry);
    await call(registry, {
      verb: 'create',
      body: { kind: 'CronTab', apiVersion: `${group}/v1`, metadata: { name: 'a' }, spec: { cron: 'x' } },
    });
    await plainCall(registry, { verb: 'create', ...crds, body: crd({ plural: 'others' }) });
    await settled(registry, `others.${group}`, (d) =>
      (d?.status?.conditions ?? []).some((c) => c.reason === 'KindConflict' || c.reason === 'ListKindConflict'),
    );
    expect(registry.lookup(group, 'v1', 'others', '')).toBeUndefined();
    await plainCall(registry, { verb: 'delete', ...crds, name: `crontabs.${group}` });
    await settled(registry, `crontabs.${group}`, (d) => d === undefined);
    expect(registry.lookup(group, 'v1', 'crontabs', '')).toBeUndefined();
    await settled(registry, `others.${group}`, (d) => d !== undefined && hasCondition(d, 'Established'));
    expect((await call(registry, { verb: 'list', resource: 'others' })).object['items']).toEqual([]);
  });

  it('are looked at for as long as they are kept, and nothing piles up', async () => {
    let looks = 0;
    const after: Clock['after'] = (_delayMs, look) => {
      looks++;
      return systemClock.after(0, look);
    };
    const controller = new AbortController();
    const registry = await start({ ...systemClock, after }, controller);
    await established(registry);
    const metadata = { name: 'a', finalizers: ['example.com/keep'] };
    await call(registry, { verb: 'create', body: { kind: 'CronTab', apiVersion: `${group}/v1`, metadata, spec: { cron: 'x' } } });
    await plainCall(registry, { verb: 'delete', ...crds, name: `crontabs.${group}` });
    await expect.poll(() => looks).toBeGreaterThan(20);
    expect(getEventListeners(controller.signal, 'abort').length).toBeLessThan(5);
  });

  it.each([
    [
      crd(
        {},
        {
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: 'object', properties: { spec: { properties: {} } } } },
            },
          ],
        },
      ),
      'spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields',
    ],
    [
      crd({}, { versions: [{ name: 'v1', served: true, storage: false, schema: schema() }] }),
      'must have exactly one version marked as storage version',
    ],
    [crd({ kind: 'cron_tab' }), 'spec.names.kind: Invalid value: "cron_tab": may have mixed case'],
    [
      crd({}, { conversion: { strategy: 'Webhook' } }),
      'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
    ],
    [
      crd(
        {},
        {
          conversion: {
            strategy: 'Webhook',
            webhook: { conversionReviewVersions: ['v3'], clientConfig: { url: 'http://a/b?x' } },
          },
        },
      ),
      '[spec.conversion.webhookClientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme; desired format: https://host[/path], spec.conversion.webhookClientConfig.url: Invalid value: "x": query parameters are not permitted in the URL, spec.conversion.conversionReviewVersions: Invalid value: ["v3"]: must include at least one of v1, v1beta1]',
    ],
    [
      crd(
        {},
        {
          conversion: {
            strategy: 'Webhook',
            webhook: { conversionReviewVersions: ['v1'], clientConfig: { service: { name: 'a', namespace: 'b', path: 'x//', port: 0 } } },
          },
        },
      ),
      'webhookClientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive, spec.conversion.webhookClientConfig.service.path: Invalid value: "x//": must start with a \'/\', spec.conversion.webhookClientConfig.service.path: Invalid value: "x//": segment[0] may not be empty',
    ],
    [
      crd({}, { conversion: { strategy: 'None', webhook: { conversionReviewVersions: ['v1'] } } }),
      'spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook',
    ],
  ])('are refused when their definition is wrong', async (body, message) => {
    const registry = await start();
    await expect(plainCall(registry, { verb: 'create', ...crds, body })).rejects.toThrow(message);
  });
});
