import { describe, expect, it } from 'vitest';
import { applyJsonPatch, type JsonPatchOperation } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import type { Json } from './object.ts';

const op = (o: string): JsonPatchOperation[] => JSON.parse(o) as JsonPatchOperation[];

describe('applyJsonPatch', () => {
  it.each<[Json, string, Json]>([
    [{ a: 1 }, '[{"op":"add","path":"/b","value":2}]', { a: 1, b: 2 }],
    [{ a: [1, 2] }, '[{"op":"add","path":"/a/1","value":9}]', { a: [1, 9, 2] }],
    [{ a: [1, 2] }, '[{"op":"add","path":"/a/-","value":9}]', { a: [1, 2, 9] }],
    [{ a: [1, 2] }, '[{"op":"remove","path":"/a/-1"}]', { a: [1] }],
    [{ a: [1, 2] }, '[{"op":"replace","path":"/a/-2","value":5}]', { a: [5, 2] }],
    [{ 'x/y': { '~': 1 } }, '[{"op":"replace","path":"/x~1y/~0","value":2}]', { 'x/y': { '~': 2 } }],
    [{ a: { b: 1 }, c: {} }, '[{"op":"move","from":"/a/b","path":"/c/d"}]', { a: {}, c: { d: 1 } }],
    [{ a: { b: 1 } }, '[{"op":"copy","from":"/a","path":"/c"},{"op":"add","path":"/c/b","value":2}]', { a: { b: 1 }, c: { b: 2 } }],
    [{ a: [{ b: 1 }] }, '[{"op":"test","path":"/a","value":[{"b":1}]}]', { a: [{ b: 1 }] }],
    [{ a: null }, '[{"op":"test","path":"/a","value":null},{"op":"test","path":"/nope","value":null}]', { a: null }],
    [{ a: 1 }, '[{"op":"replace","path":"/b","value":1}]', { a: 1, b: 1 }],
    [{ a: 1 }, '[{"op":"add","path":"/__proto__","value":{"polluted":true}}]', JSON.parse('{"a":1,"__proto__":{"polluted":true}}') as Json],
  ])('%j %s', (document, patch, result) => {
    expect(applyJsonPatch(structuredClone(document), op(patch))).toEqual(result);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each<[Json, string]>([
    [{ a: 1 }, '[{"op":"remove","path":"/b"}]'],
    [{ a: 1 }, '[{"op":"replace","path":"/b/c","value":1}]'],
    [{ a: 1 }, '[{"op":"remove"}]'],
    [{ a: 1 }, '[{"op":"remove","path":"a"}]'],
    [{ a: 1 }, '[{"op":"move","from":"/b","path":"/c"}]'],
    [{ a: [1] }, '[{"op":"add","path":"/a/3","value":1}]'],
    [{ a: [1] }, '[{"op":"remove","path":"/a/x"}]'],
    [{ a: 1 }, '[{"op":"test","path":"/a","value":2}]'],
    [{ a: 1 }, '[{"op":"add","path":"/b/c","value":2}]'],
    [{ a: 1 }, '[{"op":"frob","path":"/a"}]'],
    [{}, '[{"op":"add","path":"/constructor/prototype/x","value":1}]'],
    [{ a: { x: 'y'.repeat(10000) } }, JSON.stringify(Array.from({ length: 100 }, (_, i) => ({ op: 'copy', from: '', path: `/a/${i}` })))],
  ])('refuses %j %.60s', (document, patch) => {
    expect(() => applyJsonPatch(structuredClone(document), op(patch))).toThrow();
  });
});

describe('applyMergePatch (RFC 7396, appendix A)', () => {
  it.each<[Json, Json, Json]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j + %j', (target, patch, result) => {
    expect(applyMergePatch(target, patch)).toEqual(result);
  });
});
