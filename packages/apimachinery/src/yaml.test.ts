import { describe, expect, it } from 'vitest';
import { parseYaml } from './yaml.ts';

describe('parseYaml', () => {
  it.each([
    ['a: yes\nb: 0644\nc: 22:22\nd: 1_000\ne: ~\nf: "yes"', { a: true, b: 420, c: '22:22', d: 1000, e: null, f: 'yes' }],
    ['b: 1\na: {y: 1}', { a: { true: 1 }, b: 1 }],
    ['a: b\n---\nc: d\n', { a: 'b' }],
    ['x: &a [1]\nz: [*a, *a]', { x: [1], z: [[1], [1]] }],
    ['b: &b {q: 1, r: 2}\na:\n  <<: *b\n  r: 3\n', { a: { q: 1, r: 3 }, b: { q: 1, r: 2 } }],
    ['a: 9007199254740993', { a: 9007199254740993n }],
    ['a: 2001-01-01', { a: '2001-01-01T00:00:00Z' }],
    ['{"a": 1, "b": [true]}', { a: 1, b: [true] }],
    ['', null],
  ])('%s', (text, value) => {
    expect(parseYaml(text).value).toEqual(value);
  });

  it('notes duplicate keys in go-yaml’s words', () => {
    expect(parseYaml('m:\n  a: 1\n  b: 2\n  a: 3\n  b: 4\n')).toEqual({
      value: { m: { a: 3, b: 4 } },
      yamlError: 'yaml: unmarshal errors:\n  line 4: key "a" already set in map\n  line 5: key "b" already set in map',
    });
  });

  it.each([
    ['a: *b', /^yaml: .*b/],
    ['a: {b', /^yaml: line 1: /],
    ['a: .inf', 'json: unsupported value: +Inf'],
    [`a: ${'['.repeat(100_000)}`, /^yaml: /],
  ])('refuses %.20s', (text, message) => {
    expect(() => parseYaml(text)).toThrow(message);
  });

  it('bounds what aliases make', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
      .split('')
      .map((c, i) => `${c}: &${c} [${`*${'abcdefgh'[i]},`.repeat(9)}]`)
      .join('\n')}`;
    expect(() => parseYaml(bomb)).toThrow('yaml: document contains excessive aliasing');
  });
});
