import { describe, expect, it } from 'vitest';
import { computeSubsets, truncateSubsets, type EndpointEntry } from './subsets.ts';

const entry = (ip: string, port: number | undefined, ready = true): EndpointEntry => ({
  address: { ip },
  port: port === undefined ? undefined : { port, protocol: 'TCP' },
  ready,
});

describe('computeSubsets', () => {
  it('puts ports with the same addresses together', () => {
    expect(computeSubsets([entry('10.0.0.2', 80), entry('10.0.0.1', 80), entry('10.0.0.1', 443), entry('10.0.0.2', 443)])).toEqual([
      {
        addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }],
        ports: [
          { port: 80, protocol: 'TCP' },
          { port: 443, protocol: 'TCP' },
        ],
      },
    ]);
  });
  it('keeps those with other addresses or readiness apart', () => {
    expect(computeSubsets([entry('10.0.0.1', 80), entry('10.0.0.2', 80, false), entry('10.0.0.1', 443)])).toEqual([
      { addresses: [{ ip: '10.0.0.1' }], notReadyAddresses: [{ ip: '10.0.0.2' }], ports: [{ port: 80, protocol: 'TCP' }] },
      { addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 443, protocol: 'TCP' }] },
    ]);
  });
  it('has subsets without ports for headless Services', () => {
    expect(computeSubsets([entry('10.0.0.1', undefined)])).toEqual([{ addresses: [{ ip: '10.0.0.1' }] }]);
  });
});

describe('truncateSubsets', () => {
  it('drops addresses that are not ready first', () => {
    const subsets = computeSubsets([entry('10.0.0.1', 80, false), entry('10.0.0.2', 80), entry('10.0.0.3', 81)]);
    expect(truncateSubsets(subsets, 2)).toEqual({
      truncated: true,
      subsets: [
        { addresses: [{ ip: '10.0.0.2' }], ports: [{ port: 80, protocol: 'TCP' }] },
        { addresses: [{ ip: '10.0.0.3' }], ports: [{ port: 81, protocol: 'TCP' }] },
      ],
    });
    expect(truncateSubsets(subsets, 3).truncated).toBe(false);
  });
});
