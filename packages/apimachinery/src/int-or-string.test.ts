import { expect, it } from 'vitest';
import { isPercent, scaledValue } from './int-or-string.ts';

it.each<[number | string, boolean, number]>([
  [5, true, 5],
  ['25%', true, 3],
  ['25%', false, 2],
  ['0%', true, 0],
  ['100%', false, 10],
])('%s of 10, rounded up: %s', (value, roundUp, result) => {
  expect(scaledValue(value, 10, roundUp)).toBe(result);
});

it('knows percentages', () => {
  expect([isPercent('5%'), isPercent('5'), isPercent(5)]).toEqual([true, false, false]);
  expect(() => scaledValue('http', 10, true)).toThrow('invalid type: string is not a percentage');
  expect(() => scaledValue('x%', 10, true)).toThrow('strconv.Atoi: parsing "x": invalid syntax');
});
