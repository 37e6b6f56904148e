import { FieldErrors, formatFieldError, type Json, type SchemaRule, type StructuralSchema } from '@skiff/apimachinery';
import { describe, expect, test } from 'vitest';
import { checkSchemaRules } from './check-rules.ts';
import { escapeProperty } from './escape.ts';
import { normalizeFieldPath } from './field-path.ts';
import { createSchemaRules } from './validate-rules.ts';

type Properties = Readonly<Record<string, StructuralSchema>>;
const object = (properties: Properties, ...rules: SchemaRule[]): StructuralSchema => ({
  type: 'object',
  properties,
  ...(rules.length === 0 ? {} : { 'x-kubernetes-validations': rules }),
});
const withRules = (s: StructuralSchema, ...rules: SchemaRule[]): StructuralSchema => ({ ...s, 'x-kubernetes-validations': rules });

function check(schema: StructuralSchema): string[] {
  const errors = new FieldErrors();
  for (const _ of checkSchemaRules(schema, 'schema', true, errors));
  return errors.list.map((e) => formatFieldError(e).replaceAll(/selfType\d+/g, 'Self'));
}

function validate(schema: StructuralSchema, value: Json, old?: Json): { errors: string[]; warnings: string[]; steps: number } {
  const errors = new FieldErrors();
  const warnings: string[] = [];
  let steps = 0;
  for (const _ of createSchemaRules(schema)!.validate({ object: value, old, errors, warn: (w) => warnings.push(w) })) steps++;
  return { errors: errors.list.map(formatFieldError), warnings, steps };
}

const advice = 'try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared';
const list: StructuralSchema = { type: 'array', items: { type: 'string' } };

describe('rules of a definition', () => {
  test('are checked for what they say beside the rule', () => {
    const s = object(
      { a: { type: 'string' } },
      { rule: ' ' },
      { rule: 'true', message: ' ' },
      { rule: 'true ||\n true' },
      { rule: 'true', reason: 'Nope', fieldPath: '.b' },
    );
    expect(check(s)).toEqual([
      'schema.x-kubernetes-validations[0].rule: Required value: rule is not specified',
      'schema.x-kubernetes-validations[1].message: Invalid value: " ": must be non-empty if specified',
      'schema.x-kubernetes-validations[2].message: Required value: message must be specified if rule contains line breaks',
      'schema.x-kubernetes-validations[3].reason: Unsupported value: "Nope": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"',
      'schema.x-kubernetes-validations[3].fieldPath: Invalid value: ".b": must be a valid path',
    ]);
  });

  test('must compile to bool, know only what the schema names, and see the root’s metadata', () => {
    expect(check(object({}, { rule: 'self.metadata.name != "" && self.kind == "X"' }))).toEqual([]);
    expect(check(object({ a: { type: 'integer' } }, { rule: 'self.a' }))[0]).toContain('cel expression must evaluate to a bool');
    expect(check(object({ spec: object({}, { rule: 'has(self.metadata)' }) }))[0]).toContain("undefined field 'metadata'");
    expect(check(object({}, { rule: 'true', messageExpression: '1' }))[0]).toContain('messageExpression must evaluate to a string');
  });

  test('may not cost too much: limits on lists and texts bring them down', () => {
    const quadratic = { rule: 'self.all(x, self.exists(y, x == y))' };
    expect(check(object({ l: withRules(list, quadratic) }))).toEqual([
      `schema.properties[l].x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x (${advice})`,
      'schema.properties[l].x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema',
      `schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x (${advice})`,
    ]);
    const limited: StructuralSchema = { type: 'array', maxItems: 20, items: { type: 'string', maxLength: 20 } };
    expect(check(object({ l: withRules(limited, quadratic) }))).toEqual([]);
    const inner = withRules({ type: 'string', maxLength: 100 }, { rule: 'self.matches("^a+$")' });
    expect(check(object({ l: { type: 'array', items: inner } }))[0]).toContain('estimated rule cost exceeds budget');
    expect(check(object({ l: { type: 'array', maxItems: 100, items: inner } }))).toEqual([]);
  });

  test('hold for defaults that are what the schema says', () => {
    const positive = withRules({ type: 'integer' }, { rule: 'self > 0' });
    expect(check(object({ a: { ...positive, default: 0 }, b: { ...positive, default: 1 }, c: { ...positive, default: 'x' } }))).toEqual([
      'schema.properties[a].default: Invalid value: 0: failed rule: self > 0',
    ]);
  });

  test('may use oldSelf only where elements can be told apart', () => {
    const transition = { rule: 'self == oldSelf' };
    const item = withRules({ type: 'string', maxLength: 5 }, transition);
    expect(check(object({ l: { type: 'array', maxItems: 3, items: item } }))).toEqual([
      'schema.properties[l].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within schema.properties[l]',
    ]);
    expect(check(object({ m: { type: 'object', maxProperties: 3, additionalProperties: item } }))).toEqual([]);
    expect(check(object({}, { rule: 'true', optionalOldSelf: true }))).toEqual([
      'schema.x-kubernetes-validations[0].optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule',
    ]);
  });
});

describe('objects', () => {
  const spec = object(
    { replicas: { type: 'integer' }, max: { type: 'integer' }, 'a-b': { type: 'string' } },
    { rule: 'self.replicas <= self.max', message: 'too many', fieldPath: '.replicas', reason: 'FieldValueForbidden' },
    { rule: 'self.a__dash__b != "x"', messageExpression: '"got " + self.a__dash__b' },
  );
  test('that break rules are told by message, reason and path', () => {
    const root = object({ spec });
    expect(validate(root, { spec: { replicas: 3, max: 2, 'a-b': 'x' } }).errors).toEqual([
      'spec.replicas: Forbidden: too many',
      'spec: Invalid value: got x',
    ]);
    expect(validate(root, { spec: { replicas: 1, max: 2, 'a-b': 'y' } }).errors).toEqual([]);
  });

  test('for which a rule fails are told why', () => {
    expect(validate(object({ spec }), { spec: { replicas: 3, 'a-b': 'y' } }).errors).toEqual([
      'spec: Invalid value: "object": no such key: max evaluating rule: too many',
    ]);
    const any = object({ v: withRules({ 'x-kubernetes-int-or-string': true }, { rule: 'self > 5' }) });
    expect(validate(any, { v: 'text' }).errors).toEqual([
      `v: Invalid value: "": 'no such overload': call arguments did not match a supported operator, function or macro signature for rule: self > 5`,
    ]);
  });

  test('transition rules need something to compare with; unchanged values are only warned of', () => {
    const item = object({ k: { type: 'string' }, v: { type: 'integer' } }, { rule: 'self.v >= oldSelf.v' }, { rule: 'self.v < 10' });
    const keyed: StructuralSchema = {
      type: 'array',
      items: item,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
    };
    const s = object({ l: keyed });
    expect(validate(s, { l: [{ k: 'a', v: 1 }] }).errors).toEqual([]);
    const old = {
      l: [
        { k: 'b', v: 20 },
        { k: 'a', v: 5 },
      ],
    };
    const { errors, warnings } = validate(
      s,
      {
        l: [
          { k: 'a', v: 1 },
          { k: 'b', v: 20 },
        ],
      },
      old,
    );
    expect(errors).toEqual(['l[0]: Invalid value: failed rule: self.v >= oldSelf.v']);
    expect(warnings).toEqual(['l[1]: Invalid value: failed rule: self.v < 10']);
    const optional = object({}, { rule: 'oldSelf.hasValue()', optionalOldSelf: true });
    expect(validate(optional, {}).errors).toEqual(['<nil>: Invalid value: failed rule: oldSelf.hasValue()']);
    expect(validate(optional, {}, {}).errors).toEqual([]);
  });

  test('lists of type set and map are equal in any order', () => {
    const set: StructuralSchema = { ...list, 'x-kubernetes-list-type': 'set' };
    const s = object({ l: withRules(set, { rule: 'self == oldSelf' }) });
    expect(validate(s, { l: ['a', 'b'] }, { l: ['b', 'a'] }).errors).toEqual([]);
    expect(validate(s, { l: ['a', 'b'] }, { l: ['b', 'c'] }).errors).toHaveLength(1);
  });

  test('what costs too much ends the rules of the request', () => {
    const items = Array.from({ length: 2000 }, (_, i) => `item ${i}`);
    const s = object({ l: withRules(list, { rule: 'self.all(x, self.exists(y, x == y))' }, { rule: 'false' }) });
    expect(validate(s, { l: items }).errors).toEqual([
      `l: Invalid value: "array": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: self.all(x, self.exists(y, x == y))`,
    ]);
    const many = object({ l: { type: 'array', items: withRules(list, { rule: 'self.all(x, self.all(y, x != ""))' }) } });
    const { errors, steps } = validate(many, { l: Array.from({ length: 100 }, () => items.slice(0, 300)) });
    expect(errors.at(-1)).toContain('validation failed due to running out of cost budget, no further validation rules will be run');
    expect(steps).toBeGreaterThan(10);
  });
});

test('properties and paths have their spelling in expressions', () => {
  expect(['a-b', 'a.b/c', 'a__b', 'namespace', '1a', 'a b'].map(escapeProperty)).toEqual([
    'a__dash__b',
    'a__dot__b__slash__c',
    'a__underscores__b',
    '__namespace__',
    undefined,
    undefined,
  ]);
  const s = object({ a: object({ 'b.c': { type: 'object', additionalProperties: { type: 'string' } } }) });
  expect(normalizeFieldPath(".a['b.c']['x']", s)).toBe('a.b.c[x]');
  expect(normalizeFieldPath('.a.x', s)).toBeUndefined();
});
