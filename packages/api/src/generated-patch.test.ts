import {
  applyPatch,
  applyStrategicMergePatch,
  createTypedCodec,
  isStatusError,
  type JsonObject,
  type PatchType,
  preparePatch,
} from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { builtinSchemas, type ConfigMap, type Pod } from './generated/index.ts';

const schema = { registry: builtinSchemas, schemaName: 'io.k8s.api.core.v1.Pod' };
const spec = (document: JsonObject, patch: JsonObject): unknown =>
  applyStrategicMergePatch({ spec: document }, { spec: patch }, schema)['spec'];

describe('strategic merge patch', () => {
  const live = (): JsonObject => ({
    containers: [
      { name: 'a', image: 'a:1', env: [{ name: 'X', value: '1' }] },
      { name: 'b', image: 'b:1' },
    ],
  });
  it.each<[string, () => JsonObject, JsonObject, unknown]>([
    [
      'merges lists by their merge key, what the patch names first',
      live,
      {
        containers: [
          { name: 'c', image: 'c:1' },
          { name: 'b', image: 'b:2' },
        ],
      },
      [
        { name: 'c', image: 'c:1' },
        { name: 'a', image: 'a:1', env: [{ name: 'X', value: '1' }] },
        { name: 'b', image: 'b:2' },
      ],
    ],
    ['deletes an element', live, { containers: [{ name: 'a', $patch: 'delete' }] }, [{ name: 'b', image: 'b:1' }]],
    ['replaces a list', live, { containers: [{ $patch: 'replace' }, { name: 'z' }] }, [{ name: 'z' }]],
    [
      'orders by $setElementOrder',
      live,
      { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }], containers: [{ name: 'a', image: 'a:2' }] },
      [
        { name: 'b', image: 'b:1' },
        { name: 'a', image: 'a:2', env: [{ name: 'X', value: '1' }] },
      ],
    ],
    [
      'merges lists within elements',
      live,
      {
        containers: [
          {
            name: 'a',
            env: [
              { name: 'Y', value: '2' },
              { name: 'X', value: null },
            ],
          },
        ],
      },
      [
        { name: 'a', image: 'a:1', env: [{ name: 'Y', value: '2' }, { name: 'X' }] },
        { name: 'b', image: 'b:1' },
      ],
    ],
  ])('%s', (_, document, patch, containers) => {
    expect(spec(document(), patch)).toEqual({ containers });
  });

  it('keeps what is named by $retainKeys only', () => {
    const patched = spec(
      { volumes: [{ name: 'v', emptyDir: {} }] },
      { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] },
    );
    expect(patched).toEqual({ volumes: [{ name: 'v', hostPath: { path: '/x' } }] });
    expect(() => spec({ volumes: [{ name: 'v' }] }, { volumes: [{ name: 'v', $retainKeys: ['name'], hostPath: {} }] })).toThrow(
      'invalid patch format of retainKeys',
    );
  });

  it('deletes from lists of primitives', () => {
    const meta = applyStrategicMergePatch(
      { metadata: { finalizers: ['a', 'b', 'c'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['b'], '$setElementOrder/finalizers': ['d', 'a'], finalizers: ['d'] } },
      schema,
    );
    expect(meta).toEqual({ metadata: { finalizers: ['d', 'a', 'c'] } });
  });

  it('replaces lists without a strategy and drops nulls and directives of what is new', () => {
    expect(
      spec(
        { tolerations: [{ key: 'a' }], nodeSelector: { a: 'b', c: 'd' } },
        {
          tolerations: [{ key: 'b' }],
          nodeSelector: { a: null, e: 'f' },
          affinity: { nodeAffinity: null, podAffinity: { $patch: 'delete' } },
        },
      ),
    ).toEqual({
      tolerations: [{ key: 'b' }],
      nodeSelector: { c: 'd', e: 'f' },
      affinity: {},
    });
  });

  it.each([
    [{ containers: [{ image: 'x' }] }, 'map: map[image:x] does not contain declared merge key: name'],
    [{ containers: [{ name: 'a', $patch: 'frob' }] }, 'unknown patch type: frob in map: map[$patch:frob name:a]'],
    [{ containers: [[1]] }, 'list element types are not identical: [[map['],
    [{ '$setElementOrder/containers': 5 }, 'expected a []interface {}, but received a int64'],
  ])('refuses %j', (patch, message) => {
    expect(() => spec(live(), patch as JsonObject)).toThrow(message);
  });
});

describe('patches of objects', () => {
  const configMaps = createTypedCodec<ConfigMap>(builtinSchemas, 'io.k8s.api.core.v1.ConfigMap');
  const document = (): JsonObject => ({
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'c', resourceVersion: '5' },
    data: { a: 'b' },
  });
  const patch = (type: PatchType, body: string) => applyPatch(preparePatch(type, body, configMaps), document, configMaps);

  it.each<[PatchType, string]>([
    ['json', '[{"op":"add","path":"/data/x","value":"y"}]'],
    ['merge', '{"data":{"x":"y"}}'],
    ['strategic', '{"data":{"x":"y"}}'],
  ])('%s', (type, body) => {
    expect(patch(type, body).object.data).toEqual({ a: 'b', x: 'y' });
  });

  it.each<[PatchType, string, number, string]>([
    ['json', '{}', 400, 'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp'],
    ['merge', '[]', 400, 'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}'],
    ['strategic', '[]', 400, 'json: cannot unmarshal array into Go value of type map[string]interface {}'],
    ['merge', '{', 400, 'error decoding patch: unexpected end of JSON input'],
    ['json', '[{"op":"remove","path":"/data/zz"}]', 422, 'the server rejected our request due to an error in our request'],
    [
      'json',
      `[${'{"op":"test","path":"/kind","value":"ConfigMap"},'.repeat(10000)}{"op":"test","path":"/kind","value":"ConfigMap"}]`,
      413,
      'The allowed maximum operations in a JSON patch is 10000, got 10001',
    ],
    [
      'merge',
      '{"data":{"x":1}}',
      422,
      ' "" is invalid: patch: Invalid value: "{\\"apiVersion\\":\\"v1\\",\\"data\\":{\\"a\\":\\"b\\",\\"x\\":1},\\"kind\\":\\"ConfigMap\\",\\"metadata\\":{\\"name\\":\\"c\\",\\"resourceVersion\\":\\"5\\"}}": json: cannot unmarshal number into Go struct field ConfigMap.data of type string',
    ],
    ['strategic', '{"data":[]}', 422, ' "" is invalid: patch: Invalid value: "map[data:[]]": cannot restore map from slice'],
  ])('refuses %s %.40s', (type, body, code, message) => {
    let error: unknown;
    try {
      patch(type, body);
    } catch (e) {
      error = e;
    }
    expect(isStatusError(error) && { code: error.code, message: error.message }).toEqual({ code, message });
  });

  it('reports unknown and duplicate fields', () => {
    const result = patch('merge', '{"foo":1,"data":{"a":"c","a":"d"}}');
    expect(result.strictErrors).toEqual(['duplicate field "data.a"', 'unknown field "foo"']);
    expect(result.strictError().message).toContain('strict decoding error: duplicate field "data.a", unknown field "foo"');
    expect(patch('json', '[{"op":"test","path":"/kind","value":"ConfigMap","x":1}]').strictErrors).toEqual([
      'json patch unknown field "[0].x"',
    ]);
  });

  it('can be applied again', () => {
    const pods = createTypedCodec<Pod>(builtinSchemas, schema.schemaName);
    const prepared = preparePatch('strategic', '{"spec":{"$retainKeys":["containers"],"containers":[{"name":"a","image":"x"}]}}', pods);
    const once = prepared.apply({ spec: { containers: [] } });
    expect(prepared.apply({ spec: { containers: [] } })).toEqual(once);
  });
});
