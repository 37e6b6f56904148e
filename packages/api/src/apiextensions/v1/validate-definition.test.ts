import { FieldErrors, formatFieldError, type JsonObject } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import type { CustomResourceDefinition } from '../../generated/types/apiextensions-v1.ts';
import { defaultDefinition, definitionStrategy } from './strategy.ts';

const definition = (schema: JsonObject, version: JsonObject = {}, group = 'example.com'): CustomResourceDefinition => {
  const crd = {
    metadata: { name: `tests.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'tests', kind: 'Test' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version }],
    },
  } as unknown as CustomResourceDefinition;
  defaultDefinition(crd);
  return crd;
};
const context = { now: '', user: { name: '', groups: [] }, warn: () => undefined };
const problems = (crd: CustomResourceDefinition): string[] => {
  const errors = new FieldErrors();
  definitionStrategy.validate?.(crd, errors, context);
  return errors.list.map((e) => formatFieldError(e).replaceAll('spec.validation.openAPIV3Schema', 'S'));
};
const object = (properties: JsonObject): JsonObject => ({ type: 'object', properties });
const keyed = (items: JsonObject, keys: string[]): JsonObject =>
  object({ a: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys, items } });

describe('CustomResourceDefinitions, as the real apiserver judges them', () => {
  it.each<[string, CustomResourceDefinition, string[]]>([
    ['plain', definition({ type: 'object' }), []],
    [
      'a default of another type',
      definition(object({ a: { type: 'string', default: 1 } })),
      ['S.properties[a].default: Invalid value: "integer":  in body must be of type string: "integer"'],
    ],
    [
      'a default with unknown fields that breaks its schema',
      definition(object({ a: { type: 'object', properties: { b: { type: 'integer', maximum: 3 } }, default: { b: 5, c: 1 } } })),
      [
        'S.properties[a].default: Invalid value: {"b":5,"c":1}: must not have unknown fields',
        'S.properties[a].default.b: Invalid value: 5: b in body should be less than or equal to 3',
      ],
    ],
    [
      'a default in metadata',
      definition(object({ metadata: { type: 'object', properties: { name: { type: 'string', default: 'x' } } } })),
      ['S.properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata'],
    ],
    [
      'nullable at the root',
      definition({ type: 'object', nullable: true }),
      ['S.nullable: Forbidden: nullable cannot be true at the root'],
    ],
    ['$ref', definition(object({ a: { $ref: '#/x' } })), ['S.properties[a].$ref: Forbidden: $ref is not supported']],
    ['no additional properties', definition(object({ a: { type: 'object', additionalProperties: false } })), []],
    [
      'structural errors in order',
      definition(object({ kind: { type: 'integer' }, apiVersion: { type: 'boolean' } })),
      [
        'S.properties[apiVersion].type: Invalid value: "boolean": must be string',
        'S.properties[kind].type: Invalid value: "integer": must be string',
      ],
    ],
    [
      'a set of objects',
      definition(object({ a: { type: 'array', 'x-kubernetes-list-type': 'set', items: object({ b: { type: 'string' } }) } })),
      [
        'S.properties[a].items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set',
      ],
    ],
    [
      'keys of a map',
      definition(keyed(object({ k: { type: 'string' } }), ['k', 'z', 'k'])),
      [
        'S.properties[a].x-kubernetes-list-map-keys: Invalid value: ["k","z","k"]: entries must all be names of item properties',
        'S.properties[a].x-kubernetes-list-map-keys: Invalid value: ["k","z","k"]: must not contain duplicate entries',
        ...['', ''].map(
          () =>
            'S.properties[a].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      ],
    ],
    [
      'selectable fields',
      definition(object({ a: { type: 'string' }, o: { type: 'object' } }), {
        selectableFields: ['.a', '.o', '.zz', 'a', '', '.a', '.a[0]'].map((jsonPath) => ({ jsonPath })),
      }),
      [
        'spec.selectableFields[1].jsonPath: Invalid value: ".o": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        'spec.selectableFields[2].jsonPath: Invalid value: ".zz": is an invalid path: does not refer to a valid field',
        'spec.selectableFields[3].jsonPath: Invalid value: "a": is an invalid path: expected [ or . but got: a',
        'spec.selectableFields[4].jsonPath: Required value',
        'spec.selectableFields[5].jsonPath: Duplicate value: ".a"',
        'spec.selectableFields[6].jsonPath: Invalid value: ".a[0]": is an invalid path: array notation is not allowed',
      ],
    ],
    [
      'too many selectable fields',
      definition(object(Object.fromEntries(Array.from('abcdefghi').map((k) => [k, { type: 'string' }]))), {
        selectableFields: Array.from('abcdefghi').map((k) => ({ jsonPath: `.${k}` })),
      }),
      ['spec.selectableFields: Too many: 9: must have at most 8 items'],
    ],
    [
      'a group of the community',
      definition({ type: 'object' }, {}, 'x.k8s.io'),
      [
        'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
      ],
    ],
    [
      'no version that is stored',
      definition({ type: 'object' }, { storage: false }),
      [
        'spec.versions: Invalid value: [{"Name":"v1","Served":true,"Storage":false,"Deprecated":false,"DeprecationWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns":null,"SelectableFields":null}]: must have exactly one version marked as storage version',
        'status.storedVersions: Invalid value: null: must have at least one stored version',
      ],
    ],
    [
      'a deprecation warning of several lines',
      definition({ type: 'object' }, { deprecated: true, deprecationWarning: 'x\ny' }),
      [
        'spec.versions[0].deprecationWarning: Invalid value: "x\\ny": must only contain printable UTF-8 characters; non-printable character found at index 1',
      ],
    ],
  ])('%s', (_, crd, expected) => {
    expect(problems(crd)).toEqual(expected);
  });

  it('what was wrong before may stay', () => {
    const bad = definition(object({ a: { type: 'string', default: 1 }, b: { type: 'string' } }));
    const errors = new FieldErrors();
    definitionStrategy.validateUpdate?.(structuredClone(bad), bad, errors, context);
    expect(errors.list).toEqual([]);
    const worse = definition(object({ a: { type: 'string', default: 1 }, b: { type: 'string', default: 2 } }));
    definitionStrategy.validateUpdate?.(worse, bad, errors, context);
    expect(errors.list.map((e) => e.field)).toEqual(['spec.validation.openAPIV3Schema.properties[b].default']);
  });

  it('tells of formats that nobody knows', () => {
    const crd = definition(object({ a: { type: 'string', format: 'bogus' }, b: { type: 'string', format: 'date-time' } }));
    expect(definitionStrategy.warnings?.(crd)).toEqual(['unrecognized format "bogus"']);
  });
});
