import { FieldErrors } from '@skiff/apimachinery';
import { expect, it } from 'vitest';
import { checkSelectors, selectorsOfClaim } from './check-selectors.ts';

it('selectors are compiled of no more requests and alternatives than a claim may have', () => {
  let compiled = 0;
  const deviceSelector = () => {
    compiled += 1;
    return {};
  };
  const selectors = [{ cel: { expression: 'true' } }];
  const many = <T>(of: (i: number) => T): T[] => Array.from({ length: 100 }, (_, i) => of(i));
  const count = (requests: Parameters<typeof selectorsOfClaim>[0]): number => {
    compiled = 0;
    for (const _ of checkSelectors(selectorsOfClaim(requests, 'spec.devices'), new FieldErrors(), { deviceSelector }));
    return compiled;
  };
  expect(count({ requests: many((i) => ({ name: `r${i}`, exactly: { deviceClassName: 'c', selectors } })) })).toBe(32);
  const firstAvailable = many((i) => ({ name: `a${i}`, deviceClassName: 'c', selectors }));
  expect(count({ requests: [{ name: 'r', firstAvailable }] })).toBe(8);
});
