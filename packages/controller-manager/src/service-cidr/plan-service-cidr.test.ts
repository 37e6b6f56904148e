import type { IPAddress, ServiceCIDR } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { canGo, isHeld, isReady, readinessConditions } from './plan-service-cidr.ts';

const range = (name: string, ...cidrs: string[]): ServiceCIDR => ({ metadata: { name }, spec: { cidrs } });
const ending = (c: ServiceCIDR): ServiceCIDR => ({ ...c, metadata: { ...c.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
const address = (name: string): IPAddress => ({ metadata: { name }, spec: {} }) as IPAddress;

describe('a range that is being deleted', () => {
  const own = ending(range('own', '10.1.0.0/24', 'fd00:1::/112'));
  it.each<[string, ServiceCIDR[], string[], boolean]>([
    ['nothing in it', [], ['10.2.0.1', 'fd00:2::1'], true],
    ['an address in it', [], ['10.1.0.200'], false],
    ['an address of the other family in it', [], ['fd00:1::5'], false],
    ['all of it in a larger one', [range('large', '10.0.0.0/8', 'fd00::/16')], ['10.1.0.1', 'fd00:1::5'], true],
    ['the address in a smaller one', [range('small', '10.1.0.0/28')], ['10.1.0.1'], true],
    ['the address outside of the smaller one', [range('small', '10.1.0.0/28')], ['10.1.0.77'], false],
    ['a larger one that goes as well', [ending(range('large', '10.0.0.0/8'))], ['10.1.0.1'], false],
    ['the same range under another name', [range('same', '10.1.0.0/24')], ['10.1.0.1'], true],
  ])('%s', (_, others, names, expected) => expect(canGo(own, [own, ...others], names.map(address))).toBe(expected));
});

it('says so only when it is news', () => {
  const now = '2026-01-01T00:00:00Z';
  const ready = readinessConditions(range('a'), isReady, now);
  expect(ready).toEqual([{ type: 'Ready', ...isReady, lastTransitionTime: now }]);
  const known: ServiceCIDR = { ...range('a'), status: { conditions: ready ?? [] } };
  expect(readinessConditions(known, isReady, 'later')).toBeUndefined();
  expect(readinessConditions(known, isHeld, 'later')).toEqual([{ type: 'Ready', ...isHeld, lastTransitionTime: 'later' }]);
});
