import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SortedEntries } from './sorted-entries.ts';

interface Row {
  key: string;
  n: number;
}

describe('SortedEntries', () => {
  it('behaves as a sorted map, and old states stay as they were', () => {
    const key = fc.integer({ min: 0, max: 900 }).map((n) => `${n % 2 === 0 ? 'a' : 'b'}/${String(n).padStart(4, '0')}`);
    fc.assert(
      fc.property(fc.array(fc.record({ key, put: fc.boolean() }), { minLength: 1, maxLength: 1500 }), (steps) => {
        const model = new Map<string, Row>();
        let entries = SortedEntries.empty<Row>();
        let kept: { entries: SortedEntries<Row>; rows: Row[] } | undefined;
        steps.forEach((step, n) => {
          if (step.put) {
            model.set(step.key, { key: step.key, n });
            entries = entries.with({ key: step.key, n });
          } else {
            model.delete(step.key);
            entries = entries.without(step.key);
          }
          if (n === steps.length >> 1) kept = { entries, rows: entries.slice('') };
        });
        const rows = [...model.values()].sort((x, y) => (x.key < y.key ? -1 : 1));
        expect(entries.slice('')).toEqual(rows);
        expect(entries.size).toBe(rows.length);
        expect([...entries.range('b/')]).toEqual(rows.filter((r) => r.key.startsWith('b/')));
        expect(entries.count('a/')).toBe(rows.filter((r) => r.key.startsWith('a/')).length);
        expect(entries.count('a/', 'a/0300\0')).toBe(rows.filter((r) => r.key.startsWith('a/') && r.key > 'a/0300').length);
        for (const row of rows) expect(entries.get(row.key)).toEqual(row);
        if (kept !== undefined) expect(kept.entries.slice('')).toEqual(kept.rows);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps chunks full when keys come in order', () => {
    let entries = SortedEntries.empty<Row>();
    for (let n = 0; n < 5000; n++) entries = entries.with({ key: String(n).padStart(5, '0'), n });
    expect(entries.slice('').map((r) => r.n)).toEqual(Array.from({ length: 5000 }, (_, n) => n));
    expect(entries.slice('', '04990').length).toBe(10);
    expect(entries.slice('', '', 7).length).toBe(7);
  });
});
