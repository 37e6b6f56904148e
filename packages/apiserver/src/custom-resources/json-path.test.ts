import { describe, expect, it } from 'vitest';
import { JsonPathError, parseJsonPath } from './json-path.ts';

const object = {
  spec: {
    a: 1,
    'b.c': 'dotted',
    list: [
      { type: 'Ready', status: 'True', n: 3 },
      { type: 'Other', status: 'False', n: 5 },
    ],
  },
};
describe('parseJsonPath', () => {
  it.each([
    ['.spec.a', [1]],
    ['.spec.b\\.c', ['dotted']],
    [`.spec['b.c']`, ['dotted']],
    ['.spec.list[0].type', ['Ready']],
    ['.spec.list[-1].type', ['Other']],
    ['.spec.list[*].n', [3, 5]],
    ['.spec.list[?(@.type=="Ready")].status', ['True']],
    [`.spec.list[?(@.n>3)].type`, ['Other']],
    ['.spec.missing.deeper', []],
    ['.spec.constructor', []],
  ])('%s', (path, expected) => expect(parseJsonPath(path).find(object)).toEqual(expected));
  it.each(['spec', '.a[', '.a[?(b)]', '..a'])('refuses %s', (path) => expect(() => parseJsonPath(path)).toThrow(JsonPathError));
});
