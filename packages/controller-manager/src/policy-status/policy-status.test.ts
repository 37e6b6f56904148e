import type { ValidatingAdmissionPolicy } from '@skiff/api';
import { dynType, openApiType, structType, typeWarnings } from '@skiff/cel';
import { describe, expect, it } from 'vitest';
import { KnownTypes } from './known-types.ts';
import { kindName, matchedKinds } from './matched-kinds.ts';

const ref = { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' };
const documents: Readonly<Record<string, object>> = {
  '/apis/x.io/v1': { resources: [{ name: 'crontabs', kind: 'CronTab' }] },
  '/openapi/v3/apis/x.io/v1': {
    components: {
      schemas: {
        'io.x.v1.CronTab': {
          type: 'object',
          properties: { metadata: { allOf: [ref] }, spec: { type: 'object', properties: { replicas: { type: 'integer' } } } },
          'x-kubernetes-group-version-kind': [{ group: 'x.io', version: 'v1', kind: 'CronTab' }],
        },
        'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta': { type: 'object', properties: { name: { type: 'string' } } },
      },
    },
  },
};

const known = (): KnownTypes =>
  new KnownTypes(
    {
      request: async ({ path }) => {
        const document = documents[path];
        return { code: document === undefined ? 404 : 200, headers: {}, body: Buffer.from(JSON.stringify(document ?? {})) };
      },
    },
    { openApiType, structType },
    new AbortController().signal,
  );

const policy = (apiGroups: string[], resources: string[], apiVersions = ['v1']): ValidatingAdmissionPolicy => ({
  metadata: { name: 'p' },
  spec: { matchConstraints: { resourceRules: [{ operations: ['*'], apiGroups, apiVersions, resources }] } },
});

describe('kinds that a policy is about', () => {
  it.each([
    [
      ['apps', ''],
      ['pods', 'deployments', 'pods/status'],
      ['/v1, Kind=Pod', 'apps/v1, Kind=Deployment'],
    ],
    [['*'], ['pods'], []],
    [['x.io'], ['crontabs'], ['x.io/v1, Kind=CronTab']],
    [['y.io'], ['crontabs'], []],
    // Upstream stops counting at ten.
    [
      [''],
      [
        'pods',
        'services',
        'nodes',
        'configmaps',
        'secrets',
        'endpoints',
        'limitranges',
        'namespaces',
        'podtemplates',
        'events',
        'serviceaccounts',
      ],
      10,
    ],
  ] as const)('%j %j', async (groups, resources, wanted) => {
    const kinds = (await matchedKinds(policy([...groups], [...resources]), known())).map(kindName);
    if (typeof wanted === 'number') expect(kinds).toHaveLength(wanted);
    else expect(kinds).toEqual(wanted);
  });
});

describe('type checks', () => {
  const warnings = async (kind: { group: string; version: string; kind: string }, expression: string): Promise<string[]> => {
    const type = await known().typeOf(kind);
    if (type === undefined) throw new Error('no type');
    return typeWarnings({
      expressions: [{ fieldRef: 'spec.validations[0].expression', expression }],
      variables: [{ name: 'replicas', expression: 'object.spec.replicas' }],
      kinds: [{ name: kindName(kind), type }],
      params: dynType,
    }).map((w) => w.warning);
  };
  const deployment = { group: 'apps', version: 'v1', kind: 'Deployment' };
  const cronTab = { group: 'x.io', version: 'v1', kind: 'CronTab' };

  it.each([
    ['object.spec.replicas > 1 && params.max > 1', undefined],
    ["object.spec.replicas > '1'", "found no matching overload for '_>_' applied to '(int, string)'"],
    ["variables.replicas > '1'", "found no matching overload for '_>_' applied to '(int, string)'"],
    ['object.spec.template.spec.containers.all(c, c.nothing == 1)', "undefined field 'nothing'"],
    // A quantity's schema has no type of its own: expressions can't see maps of them.
    ['object.spec.template.spec.containers[0].resources.limits.size() == 1', "undefined field 'limits'"],
  ])('of a built-in kind: %s', async (expression, wanted) => {
    const found = await warnings(deployment, expression);
    if (wanted === undefined) expect(found).toEqual([]);
    else expect(found).toEqual([expect.stringContaining(`apps/v1, Kind=Deployment: ERROR: <input>:1:`)]);
    if (wanted !== undefined) expect(found[0]).toContain(wanted);
  });

  it.each([
    ['object.spec.replicas > 1 && object.metadata.name == "x"', []],
    ['object.spec.maxRetries < 10', [expect.stringContaining("undefined field 'maxRetries'")]],
  ])('of a custom kind: %s', async (expression, wanted) => expect(await warnings(cronTab, expression)).toEqual(wanted));
});
