import { describe, expect, it } from 'vitest';
import { unifiedDiff } from './unified-diff.ts';

describe('a unified diff', () => {
  it.each([
    ['equal', ['a', 'b'], ['a', 'b'], ''],
    ['a line more', ['a', 'c'], ['a', 'b', 'c'], '@@ -1,2 +1,3 @@\n a\n+b\n c\n'],
    ['a line less, first', ['a', 'b'], ['b'], '@@ -1,2 +1 @@\n-a\n b\n'],
    ['another line', ['a', 'b', 'c'], ['a', 'x', 'c'], '@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n'],
  ])('%s', (_, a, b, expected) => {
    expect(unifiedDiff(a, b)).toBe(expected);
  });

  it('of long texts shows what is between equal ends as replaced, without comparing every line with every other', () => {
    const lines = (from: string): string[] => ['first', ...Array.from({ length: 100_000 }, (_, i) => `${from} ${i}`), 'last'];
    const diff = unifiedDiff(lines('old'), lines('new')).split('\n');
    expect(diff.slice(0, 3)).toEqual(['@@ -1,100002 +1,100002 @@', ' first', '-old 0']);
    expect(diff.slice(-3)).toEqual(['+new 99999', ' last', '']);
  });
});
