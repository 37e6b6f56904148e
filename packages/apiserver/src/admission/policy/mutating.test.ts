import { type Deployment, deployment } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { map, PolicyWorld } from './policy.fixture.ts';

const apply = (expression: string) => ({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } });
const patch = (expression: string) => ({ patchType: 'JSONPatch', jsonPatch: { expression } });

describe('mutating policies', () => {
  it('merge what an expression makes', async () => {
    const world = new PolicyWorld();
    world.mutating('p', {
      variables: [{ name: 'team', expression: 'namespaceObject.metadata.labels.team' }],
      mutations: [apply(`Object{metadata: Object.metadata{labels: {"team": variables.team}}, data: {"seen": "yes"}}`)],
    });
    const r = await world.admit(map({ k: 'v' }, { app: 'web' }));
    expect(r.object).toMatchObject({ metadata: { name: 'm', labels: { app: 'web', team: 'x' } }, data: { k: 'v', seen: 'yes' } });
  });

  it('apply JSON patches, and none of one whose test fails', async () => {
    const world = new PolicyWorld();
    const key = `"/metadata/labels/" + jsonpatch.escapeKey("example.com/a~b")`;
    world.mutating('p', {
      mutations: [
        patch(`[JSONPatch{op: "add", path: ${key}, value: "1"}]`),
        patch(`[JSONPatch{op: "add", path: "/data/x", value: "1"}, JSONPatch{op: "test", path: "/data/k", value: "other"}]`),
      ],
    });
    const r = await world.admit(map({ k: 'v' }, { app: 'web' }));
    expect(r.object).toMatchObject({ metadata: { labels: { 'example.com/a~b': '1' } }, data: { k: 'v' } });
    expect(r.object).not.toHaveProperty('data.x');
  });

  it.each([
    [
      'a type name that is not where it stands',
      apply('Object{data: Object.wrong{}}'),
      'type mismatch: unexpected type name "Object.wrong", expected "Object.data"',
    ],
    [
      'a field that there is none of',
      apply('Object{nope: 1}'),
      'error applying patch: failed to convert patch object to typed object: .nope: field not declared in schema',
    ],
    [
      'a patch that does not apply',
      patch('[JSONPatch{op: "remove", path: "/data/nope"}]'),
      "JSON Patch: error in remove for path: '/data/nope': Unable to remove nonexistent key: nope: missing value",
    ],
    ['an expression that fails', apply('Object{data: {"a": object.data.nothing}}'), 'resulted in error: no such key: nothing'],
  ])('refuse %s', async (_, mutation, why) => {
    const world = new PolicyWorld();
    world.mutating('p', { mutations: [mutation] });
    await expect(world.admit(map({ k: 'v' }))).rejects.toMatchObject({
      code: 403,
      reason: 'Invalid',
      message: expect.stringMatching(/^policy 'p' with binding 'p-binding' denied request: /),
      details: { causes: [{ message: expect.stringContaining(why) }] },
    });
    const open = new PolicyWorld();
    open.mutating('p', { failurePolicy: 'Ignore', mutations: [mutation] });
    expect((await open.admit(map({ k: 'v' }))).object).toMatchObject({ data: { k: 'v' } });
  });

  it('merge lists by their keys, and not into atomic ones', async () => {
    const world = new PolicyWorld();
    const rules = {
      matchPolicy: 'Equivalent',
      namespaceSelector: {},
      objectSelector: {},
      resourceRules: [{ operations: ['CREATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'], scope: '*' }],
    };
    const inPod = (fields: string): string =>
      `Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{${fields}}}}}`;
    world.mutating('p', {
      matchConstraints: rules,
      mutations: [
        apply(
          inPod(
            'containers: object.spec.template.spec.containers.map(c, Object.spec.template.spec.containers{name: c.name, imagePullPolicy: "Always"})',
          ),
        ),
        apply('Object{spec: Object.spec{replicas: object.spec.replicas + 2}}'),
      ],
    });
    const containers = [
      { name: 'a', image: 'x' },
      { name: 'b', image: 'y' },
    ];
    const web: Deployment = {
      kind: 'Deployment',
      apiVersion: 'apps/v1',
      metadata: { name: 'web', namespace: 'a' },
      spec: { replicas: 1, selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers } } },
    };
    const r = await world.admit(web, { definition: deployment as never });
    expect(r.object).toMatchObject({
      spec: {
        replicas: 3,
        template: {
          spec: {
            containers: [
              { name: 'a', image: 'x', imagePullPolicy: 'Always' },
              { name: 'b', image: 'y', imagePullPolicy: 'Always' },
            ],
          },
        },
      },
    });
    world.mutating('q', {
      matchConstraints: rules,
      mutations: [apply(inPod('containers: [Object.spec.template.spec.containers{name: "a", args: ["x"]}]'))],
    });
    await expect(world.admit(web, { definition: deployment as never })).rejects.toMatchObject({
      message: expect.stringContaining('may not mutate atomic arrays, maps or structs: .spec.template.spec.containers[0].args'),
    });
  });

  it('run again where they ask for it and the object changed after them', async () => {
    const world = new PolicyWorld();
    const count = (key: string) =>
      apply(`Object{data: {"${key}": has(object.data) && "${key}" in object.data ? object.data["${key}"] + "+" : "1"}}`);
    world.mutating('a', { reinvocationPolicy: 'IfNeeded', mutations: [count('a')] });
    world.mutating('b', { reinvocationPolicy: 'Never', mutations: [count('b')] });
    expect((await world.admit(map())).object?.['data']).toEqual({ a: '1+', b: '1' });
  });
});
