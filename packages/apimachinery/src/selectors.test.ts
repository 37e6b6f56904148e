import { describe, expect, it } from 'vitest';
import { parseFieldSelector } from './field-selector.ts';
import { labelSelectorMatcher, labelSetMatcher, parseLabelSelector } from './label-selector.ts';

describe('parseLabelSelector', () => {
  it.each([
    ['', {}, true],
    ['a=b', { a: 'b' }, true],
    ['a==b', { a: 'c' }, false],
    ['a!=b', {}, true],
    ['a in (b,c), d notin (e)', { a: 'c' }, true],
    ['a in (b,,c)', { a: '' }, true],
    ['a in ()', { a: '' }, true],
    ['a', { a: '' }, true],
    ['!a', { a: '' }, false],
    ['! a', {}, true],
    ['a>5', { a: '6' }, true],
    ['a<5', { a: '6' }, false],
    ['a>5', { a: 'x' }, false],
    ['x=', { x: '' }, true],
    ['in in (in,notin)', { in: 'notin' }, true],
    ['example.com/app=web', { 'example.com/app': 'web' }, true],
    ['toString', {}, false],
  ])('%s on %j: %s', (text, labels, matches) => {
    expect(parseLabelSelector(text).matches(labels as unknown as Record<string, string>)).toBe(matches);
  });

  it.each([
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    [',', "found ',', expected: !, identifier, or 'end of string'"],
    ['=', "found '=', expected: !, identifier, or 'end of string'"],
    ['a,,b', "found ',', expected: identifier after ','"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['a notin b', "unable to parse requirement: found 'b' expected: '('"],
    ['a>x', "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"],
    ['A/B/c=1', 'unable to parse requirement: <nil>: Invalid value: "A/B/c": a valid label key must consist of'],
    ['a=-x', 'unable to parse requirement: values[0][a]: Invalid value: "-x": a valid label must be an empty string'],
  ])('refuses %s', (text, message) => {
    expect(() => parseLabelSelector(text)).toThrow(message);
  });

  it('prints canonically', () => {
    expect(String(parseLabelSelector('z notin (b,a),a==b,!c,d,e>1'))).toBe('a==b,!c,d,e>1,z notin (a,b)');
  });
});

it('matches LabelSelector objects', () => {
  const m = labelSelectorMatcher({ matchLabels: { b: '1', a: '2' }, matchExpressions: [{ key: 'c', operator: 'In', values: ['x', 'y'] }] });
  expect(String(m)).toBe('a=2,b=1,c in (x,y)');
  expect([m.matches({ a: '2', b: '1', c: 'x' }), m.matches({ a: '2', b: '1' })]).toEqual([true, false]);
  expect([labelSelectorMatcher(undefined).matches({}), labelSelectorMatcher({}).matches({})]).toEqual([false, true]);
  expect(() => labelSelectorMatcher({ matchExpressions: [{ key: 'a', operator: 'Foo' }] })).toThrow(
    '"Foo" is not a valid label selector operator',
  );
  expect(labelSetMatcher({ a: 'b' }).matches({ a: 'b', c: 'd' })).toBe(true);
});

describe('parseFieldSelector', () => {
  it('matches and prints', () => {
    const m = parseFieldSelector('status.phase!=Running,metadata.name==a\\,b');
    expect(String(m)).toBe('metadata.name=a\\,b,status.phase!=Running');
    expect(m.exactly('metadata.name')).toBe('a,b');
    expect(m.matches((f) => (f === 'metadata.name' ? 'a,b' : 'Pending'))).toBe(true);
    expect(parseFieldSelector('').empty).toBe(true);
  });
  it.each(['=', '==', '!=', '=,=='])('says nothing with %s', (text) => {
    const fails = (): never => {
      throw new Error('asked for a conversion');
    };
    expect(parseFieldSelector(text, fails).empty).toBe(true);
    expect(String(parseFieldSelector(`${text},metadata.name=a`))).toBe('metadata.name=a');
  });
  it.each([
    ['metadata.name', "invalid selector: 'metadata.name'; can't understand 'metadata.name'"],
    ['metadata.name=a\\', 'invalid field selector: invalid escape sequence: \\'],
    ['a=b=c', 'invalid field selector: unescaped character in value: 61'],
  ])('refuses %s', (text, message) => {
    expect(() => parseFieldSelector(text)).toThrow(message);
  });
});
