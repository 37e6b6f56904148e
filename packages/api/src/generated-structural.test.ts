import {
  createFieldManager,
  createStructuralCodec,
  type CustomObject,
  FieldErrors,
  invalid,
  type Json,
  type JsonObject,
  parseJson,
  type StructuralSchema,
} from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { builtinSchemas } from './generated/index.ts';

const schema: StructuralSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', format: 'int32', minimum: 1, maximum: 10 },
        name: { type: 'string', minLength: 2, maxLength: 5, pattern: '^[a-z]+$', default: 'abc' },
        mode: { type: 'string', enum: ['a', 'b'] },
        ratio: { type: 'number', multipleOf: 0.5 },
        flag: { type: 'boolean', nullable: true },
        ip: { type: 'string', format: 'ipv4' },
        port: { 'x-kubernetes-int-or-string': true },
        tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set', maxItems: 3, minItems: 1 },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port', 'proto'],
          items: {
            type: 'object',
            required: ['port'],
            properties: { port: { type: 'integer' }, proto: { type: 'string', default: 'TCP' } },
          },
        },
        labels: { type: 'object', additionalProperties: { type: 'string' }, maxProperties: 2 },
        free: {
          type: 'object',
          'x-kubernetes-preserve-unknown-fields': true,
          properties: { known: { type: 'object', properties: { a: { type: 'string' } } } },
        },
        embedded: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
        choice: {
          type: 'object',
          properties: { x: { type: 'string' }, y: { type: 'string' } },
          oneOf: [{ required: ['x'] }, { required: ['y'] }],
        },
        atom: { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { x: { type: 'string' }, y: { type: 'string' } } },
        nest: { type: 'object', default: {}, properties: { deep: { type: 'string', default: 'dd' } } },
      },
    },
    status: { type: 'object', properties: { ready: { type: 'integer' } } },
  },
};
const codec = createStructuralCodec(builtinSchemas, schema);
const thing = (spec: Json, more: JsonObject = {}): JsonObject => ({
  apiVersion: 'example.com/v1',
  kind: 'Thing',
  metadata: { name: 'x' },
  spec,
  ...more,
});
function decode(tree: JsonObject): CustomObject {
  const { object } = codec.decode({ value: structuredClone(tree) });
  codec.applyDefaults(object);
  return object;
}
function complaints(tree: JsonObject, old?: JsonObject): string {
  const errors = new FieldErrors();
  codec.validate(decode(tree), errors, old && decode(old));
  return errors.empty
    ? ''
    : invalid({ group: 'example.com', kind: 'Thing' }, 'x', errors.list).message.replace('Thing.example.com "x" is invalid: ', '');
}

describe('custom objects', () => {
  it('are pruned, with the unknown fields named, and defaulted', () => {
    const text = `{"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"x","foo":1,"labels":{}},
      "spec":{"size":1,"size":2,"zz":1,"name":null,"flag":null,"mode":null,"free":{"a":{"b":[1]},"known":{"a":"x","zz":1}},"ports":[{"port":1,"q":1}]},"bar":2}`;
    const { object, strictErrors } = codec.decode(parseJson(text));
    expect(strictErrors).toEqual([
      'duplicate field "spec.size"',
      'unknown field "metadata.foo"',
      'unknown field "bar"',
      'unknown field "spec.free.known.zz"',
      'unknown field "spec.ports[0].q"',
      'unknown field "spec.zz"',
    ]);
    codec.applyDefaults(object);
    expect(codec.encode(object).bytes.toString()).toBe(
      '{"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"x"},' +
        '"spec":{"flag":null,"free":{"a":{"b":[1]},"known":{"a":"x"}},"name":"abc","nest":{"deep":"dd"},"ports":[{"port":1,"proto":"TCP"}],"size":2}}',
    );
  });

  it('are written sorted, with their borders', () => {
    const e = codec.encode(
      decode({ ...thing({ size: 1 }), data: 1, metadata: { name: 'x', uid: 'u', resourceVersion: '5', labels: { b: '1', a: '2' } } }),
    );
    const text = e.bytes.toString();
    expect(text).toBe(
      '{"apiVersion":"example.com/v1","kind":"Thing","metadata":{"labels":{"a":"2","b":"1"},"name":"x","uid":"u"},"spec":{"name":"abc","nest":{"deep":"dd"},"size":1}}',
    );
    expect([text.slice(e.metadataStart, e.metadataEnd), text.slice(0, e.resourceVersionAt)]).toEqual([
      '"metadata":{"labels":{"a":"2","b":"1"},"name":"x","uid":"u"}',
      '{"apiVersion":"example.com/v1","kind":"Thing","metadata":{"labels":{"a":"2","b":"1"},"name":"x"',
    ]);
  });

  it.each<[Json, string]>([
    [{}, 'spec.size: Required value'],
    [{ size: 'x' }, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'],
    [{ size: null }, ''],
    [{ size: 11 }, 'spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10'],
    [
      { size: 1.5 },
      '[spec.size: Invalid value: "float64": spec.size in body must be of type int32: "float64", <nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.size]',
    ],
    [{ size: 1, name: 'A' }, 'spec.name: Invalid value: "A": spec.name in body should be at least 2 chars long'],
    [{ size: 1, name: 'A1' }, `spec.name: Invalid value: "A1": spec.name in body should match '^[a-z]+$'`],
    [{ size: 1, name: 'abcdefgh' }, 'spec.name: Too long: may not be more than 5 bytes'],
    [{ size: 1, mode: 'c' }, 'spec.mode: Unsupported value: "c": supported values: "a", "b"'],
    [{ size: 1, ratio: 1.3 }, 'spec.ratio: Invalid value: 1.3: spec.ratio in body should be a multiple of 0.5'],
    [{ size: 1, ip: 'x' }, 'spec.ip: Invalid value: "x": spec.ip in body must be of type ipv4: "x"'],
    [{ size: 1, port: true }, 'spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"'],
    [{ size: 1, tags: ['a', 'b', 'a'] }, 'spec.tags[2]: Duplicate value: "a"'],
    [{ size: 1, tags: ['a', 'b', 'c', 'd'] }, 'spec.tags: Too many: 4: must have at most 3 items'],
    [{ size: 1, tags: [] }, 'spec.tags: Invalid value: 0: spec.tags in body should have at least 1 items'],
    [
      { size: 1, ports: [{ port: 1 }, { port: 1, proto: 'TCP' }, { port: 1, proto: 'UDP' }] },
      'spec.ports[1]: Duplicate value: {"port":1,"proto":"TCP"}',
    ],
    [{ size: 1, labels: { a: 1 } }, 'spec.labels.a: Invalid value: "integer": spec.labels.a in body must be of type string: "integer"'],
    [
      { size: 1, choice: { x: 'a', y: 'b' } },
      '<nil>: Invalid value: "": "spec.choice" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ],
    [{ size: 1, embedded: {} }, '[spec.embedded.apiVersion: Required value, spec.embedded.kind: Required value]'],
    [5, 'spec: Invalid value: "integer": spec in body must be of type object: "integer"'],
  ])('%j', (spec, message) => {
    if (message === '') expect(complaints(thing(spec))).toBe('spec.size: Required value');
    else expect(complaints(thing(spec))).toBe(message);
  });

  it('may keep what was wrong already', () => {
    const old = thing({ size: 99, name: 'A', ports: [{ port: 'x' }, { port: 2 }] });
    expect(complaints(thing({ size: 99, name: 'A', mode: 'q', ports: [{ port: 'x' }] }), old)).toBe(
      'spec.mode: Unsupported value: "q": supported values: "a", "b"',
    );
  });

  it('refuse malformed metadata', () => {
    expect(() => decode(thing({}, { metadata: { name: 'x', labels: { a: 1 } } }))).toThrow(
      'json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string',
    );
    expect(() => decode(thing({ embedded: { metadata: { name: 5 } } }))).toThrow(
      'spec.embedded.metadata: Invalid value: {"name":5}: json: cannot unmarshal number into Go struct field ObjectMeta.name of type string',
    );
  });

  it('are owned by the schema’s list and map types', () => {
    const manager = createFieldManager({
      apiVersion: 'example.com/v1',
      kind: 'Thing',
      type: codec.mergeType,
      subresource: '',
      resetFields: ['status'],
    });
    const { managedFields } = manager.apply(
      undefined,
      thing({ size: 1, ports: [{ port: 1 }], tags: ['a'], atom: { x: '1' }, free: { q: { r: 1 }, l: [{ n: 1 }] } }),
      {
        manager: 'one',
        force: false,
        now: '2026-01-01T00:00:00Z',
      },
    );
    expect(managedFields?.[0]?.fieldsV1).toEqual({
      'f:spec': {
        'f:atom': {},
        'f:free': { 'f:l': {}, 'f:q': { '.': {}, 'f:r': {} } },
        'f:ports': { 'k:{"port":1,"proto":"TCP"}': { '.': {}, 'f:port': {} } },
        'f:size': {},
        'f:tags': { 'v:"a"': {} },
      },
    });
  });
});
