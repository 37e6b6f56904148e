import { parseYaml } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { yamlText } from './yaml-text.ts';

describe('yamlText', () => {
  it.each(['0o7', '-0o17', '+0o7', '0O7', '\ta\nb', '\n\ta', '\t\n', '\n\t\n', '\ta\n'])('quotes %j, which Go would misread', (text) => {
    const yaml = yamlText({ a: text, [text]: 'b' });
    expect(yaml).toContain(`a: ${JSON.stringify(text)}\n`);
    expect(parseYaml(yaml).value).toEqual({ a: text, [text]: 'b' });
  });
  it.each([
    ['a', 'a'],
    ['o7', 'o7'],
    ['a\tb', 'a\tb'],
    ['a\n\tb\n', '|\n  a\n  \tb'],
    ['8080', '"8080"'],
    ['no', '"no"'],
  ])('writes %j as it does', (text, expected) => {
    expect(yamlText({ a: text })).toBe(`a: ${expected}\n`);
  });
  it('sorts keys, and puts lists flush with theirs', () => {
    expect(yamlText({ b: [1, { d: null, c: true }], a: {} })).toBe('a: {}\nb:\n- 1\n- c: true\n  d: null\n');
  });
});
