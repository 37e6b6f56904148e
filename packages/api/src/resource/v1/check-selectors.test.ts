import { FieldErrors } from '@skiff/apimachinery';
import { expect, it } from 'vitest';
import type { DeviceClass } from '../../generated/types/resource-v1.ts';
import { deviceClass } from './device-class.ts';
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

it('selectors of a class that are as they were are not looked at again', () => {
  const wrong = (expression: string, labels = {}): DeviceClass => ({
    metadata: { name: 'c', labels },
    spec: { selectors: [{ cel: { expression } }] },
  });
  const context = { now: '', user: { name: 'u', groups: [] }, deviceSelector: () => ({ invalid: 'wrong' }) };
  const complaints = (c: DeviceClass, old?: DeviceClass): string[] => {
    const errors = new FieldErrors();
    for (const _ of deviceClass.strategy?.validateInSteps?.(c, old, errors, context) ?? []);
    return errors.list.map((e) => e.field);
  };
  expect(complaints(wrong('x'))).toEqual(['spec.selectors[0].cel.expression']);
  expect(complaints(wrong('x', { a: 'b' }), wrong('x'))).toEqual([]);
  expect(complaints(wrong('y'), wrong('x'))).toEqual(['spec.selectors[0].cel.expression']);
});
