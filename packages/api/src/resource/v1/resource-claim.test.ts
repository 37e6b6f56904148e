import { FieldErrors, type StrategyContext } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import type { ResourceClaim } from '../../generated/types/resource-v1.ts';
import { resourceClaim } from './resource-claim.ts';

const context: StrategyContext = { now: '2026-01-01T00:00:00Z', user: { name: 'driver', groups: [] } };
const device = (name: string, driver = 'd.example.com') => ({ driver, pool: 'p', device: name });

/** A claim that was given the devices `given`; `told` have a status. */
const claim = (given: readonly string[] | undefined, told: readonly string[]): ResourceClaim => ({
  metadata: { name: 'x', namespace: 'default' },
  spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c', allocationMode: 'ExactCount', count: 1 } }] } },
  status: {
    ...(given && { allocation: { devices: { results: given.map((name) => ({ request: 'r', ...device(name) })) } } }),
    devices: told.map((name) => device(name)),
  },
});

/** The devices that have a status after a write of the status, and what is wrong with it. */
function written(next: ResourceClaim, old: ResourceClaim): { devices: unknown; errors: string[] } {
  const strategy = resourceClaim.subresources?.['status']?.strategy;
  const draft = structuredClone(next);
  strategy?.prepareForUpdate?.(draft as never, old as never, context);
  const errors = new FieldErrors();
  strategy?.validateUpdate?.(draft as never, old as never, errors, context);
  return { devices: draft.status?.devices?.map((d) => d.device), errors: errors.list.map((e) => e.field) };
}

describe('the status of a claim', () => {
  it('loses that of devices which are given back', () => {
    expect(written(claim(undefined, ['a', 'b']), claim(['a', 'b'], ['a', 'b']))).toEqual({ devices: undefined, errors: [] });
    expect(written(claim(['a'], ['a', 'b']), claim(['a', 'b'], ['a', 'b'])).devices).toEqual(['a']);
  });

  it('takes none of a device that was never allocated', () => {
    expect(written(claim(['a'], ['a', 'b']), claim(['a'], ['a']))).toEqual({ devices: ['a', 'b'], errors: ['status.devices[1]'] });
  });
});
