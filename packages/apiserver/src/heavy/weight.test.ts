import { describe, expect, it } from 'vitest';
import { isHeavyValue, maxWeight, weighJson } from './weight.ts';

const weigh = (value: unknown, limit = Infinity): number => weighJson(Buffer.from(JSON.stringify(value)), limit);

describe('the weight of a JSON text', () => {
  it.each([
    ['no object', 7, 0],
    ['an empty object', {}, 1],
    ['an object', { a: 1, b: 2 }, 4],
    ['a list', [1, 2, 3], 3],
    ['nested', { a: [{ b: 'c' }] }, 5],
    ['strings that look like JSON', { a: '{"b":[1,2,3]}' }, 2],
    ['quotes and backslashes at the ends of strings', ['\\', '"', '\\"', ',,,'], 4],
  ])('%s', (_, value, expected) => {
    expect(weigh(value)).toBe(expected);
  });

  it('grows with long strings, slowly', () => {
    expect(weigh(['x'.repeat(100 * 1024)])).toBe(101);
  });

  it('is counted no further than the limit', () => {
    expect(
      weigh(
        Array.from({ length: 1000 }, () => 0),
        10,
      ),
    ).toBe(10);
  });

  it.each(['{"a', '"', '["\\"', ''])('of broken texts is counted too: %s', (text) => {
    expect(weighJson(Buffer.from(text), 100)).toBeLessThan(3);
  });

  it('decides which stored values are heavy', () => {
    const object = (keys: number): Buffer =>
      Buffer.from(JSON.stringify({ data: Object.fromEntries(Array.from({ length: keys }, (_, i) => [`key-${i}`, ''])) }));
    expect(isHeavyValue(object(maxWeight / 4))).toBe(false);
    expect(isHeavyValue(object(maxWeight))).toBe(true);
  });
});
