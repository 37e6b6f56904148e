import { describe, expect, it } from 'vitest';
import { FieldErrors, formatFieldError } from './field-error.ts';
import { formatIP, parseCIDR, parseIP, validateCIDR, validateIP, warningsForCIDR } from './ip-validation.ts';
import { validateLabelSelector } from './label-selector-validation.ts';
import { isConfigMapKey, isDNS1123Label, isQualifiedName, nameIsDNSSubdomain } from './name-validation.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './object-meta-validation.ts';

function collect(run: (errors: FieldErrors) => void): string[] {
  const errors = new FieldErrors();
  run(errors);
  return errors.list.map(formatFieldError);
}

describe('names', () => {
  it.each([
    ['a.b', ['must not contain dots']],
    ['my-name', []],
    [
      'A',
      [
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    ['a'.repeat(64), ['must be no more than 63 characters']],
  ])('label %s', (name, complaints) => {
    expect(isDNS1123Label(name)).toEqual(complaints);
  });

  it('accepts a generateName that ends in a dash', () => {
    expect(nameIsDNSSubdomain('web-', true)).toEqual([]);
    expect(nameIsDNSSubdomain('web-', false)).toHaveLength(1);
  });

  it('names the part of a qualified name that is wrong', () => {
    expect(isQualifiedName('example.com/a')).toEqual([]);
    expect(isQualifiedName('/a')).toEqual(['prefix part must be non-empty']);
    expect(isQualifiedName('example.com/')).toHaveLength(2);
    expect(isQualifiedName('a/b/c')).toHaveLength(1);
  });

  it('keeps keys from leaving their directory', () => {
    expect(isConfigMapKey('..')).toEqual(["must not be '..'"]);
    expect(isConfigMapKey('..data')).toEqual(["must not start with '..'"]);
    expect(isConfigMapKey('a..b')).toEqual([]);
  });
});

describe('metadata', () => {
  it('reports what is missing or wrong, in order', () => {
    const meta = { labels: { 'a b': 'x y' }, annotations: { '': '' }, finalizers: ['x y'] };
    expect(collect((e) => validateObjectMeta(meta, { scope: 'Namespaced' }, e)).map((t) => t.slice(0, 40))).toMatchInlineSnapshot(`
      [
        "metadata.name: Required value: name or g",
        "metadata.namespace: Required value",
        "metadata.labels: Invalid value: "a b": n",
        "metadata.labels: Invalid value: "x y": a",
        "metadata.annotations: Invalid value: "":",
        "metadata.annotations: Invalid value: "":",
        "metadata.finalizers: Invalid value: "x y",
      ]
    `);
  });

  it('allows one controller', () => {
    const owner = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', name, uid: name, controller: true });
    const meta = { name: 'a', ownerReferences: [owner('x'), owner('y')] };
    expect(collect((e) => validateObjectMeta(meta, { scope: 'Cluster' }, e))).toEqual([
      expect.stringContaining('Found "true" in references for Pod/x and Pod/y'),
    ]);
  });

  it('refuses new finalizers on what is being deleted', () => {
    const old = { name: 'a', resourceVersion: '1', deletionTimestamp: 'now', finalizers: ['x/a'] };
    expect(collect((e) => validateObjectMetaUpdate({ ...old, finalizers: ['x/a', 'x/c', 'x/b'] }, old, e))).toEqual([
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"x/b", "x/c"}',
    ]);
  });
});

describe('label selectors', () => {
  it('checks operators and values', () => {
    const selector = {
      matchExpressions: [
        { key: 'a', operator: 'In' },
        { key: 'a', operator: 'Exists', values: ['x'] },
        { key: 'a', operator: 'Like' },
      ],
    };
    expect(collect((e) => validateLabelSelector(selector, 'spec.selector', e))).toEqual([
      "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      'spec.selector.matchExpressions[2].operator: Invalid value: "Like": not a valid selector operator',
    ]);
  });
});

describe('addresses', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['010.001.2.3', '10.1.2.3'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['1::', '1::'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ])('parses %s', (text, canonical) => {
    const ip = parseIP(text);
    expect(ip && formatIP(ip)).toBe(canonical);
  });

  it.each(['', '1.2.3', '1.2.3.256', ':::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7::8:9', 'fe80::1%eth0', 'g::'])('refuses %s', (text) => {
    expect(parseIP(text)).toBeUndefined();
  });

  it('wants canonical spelling in newer APIs', () => {
    expect(collect((e) => validateIP('2001:DB8::1', 'spec.ip', e))).toEqual([
      'spec.ip: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")',
    ]);
    expect(collect((e) => validateCIDR('10.0.0.1/8', 'spec.cidr', e))).toEqual([
      'spec.cidr: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length',
    ]);
    expect(warningsForCIDR('10.0.0.1/8', 'x')).toEqual([
      'x: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)',
    ]);
    expect(parseCIDR('10.0.0.0/33')).toBeUndefined();
  });
});
