import { describe, expect, it } from 'vitest';
import { findAddressConflicts, type HostAddresses } from './address-conflicts.ts';

const config = { instance: 'skiff', podCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/16', shadowCidr: '10.220.0.0/16' };
const host = (o: Partial<HostAddresses>): HostAddresses => ({ routes: [], needed: [], ...o });
const route = (destination: string, own = false) => ({ destination, device: 'eth0', own });

describe('conflicts of addresses', () => {
  it('are none on a host that uses other ranges', () => {
    const usual = host({
      routes: [route('default'), route('192.168.1.0/24'), route('172.17.0.0/16')],
      needed: [{ address: '8.8.8.8', what: 'x' }],
    });
    expect(findAddressConflicts(config, usual)).toEqual({ errors: [], warnings: [] });
  });
  it('are none with what Skiff made itself', () => {
    expect(findAddressConflicts(config, host({ routes: [route('10.96.0.0/16', true), route('10.244.0.7', true)] })).errors).toEqual([]);
  });
  it('are found among the ranges themselves', () => {
    expect(findAddressConflicts({ ...config, shadowCidr: '10.244.128.0/17' }, host({})).errors).toEqual([
      '--pod-cidr 10.244.0.0/16 and --shadow-cidr 10.244.128.0/17 have addresses in common',
    ]);
  });
  it('are found with what the host must reach', () => {
    const needed = [{ address: '10.96.0.1', what: 'the gateway of the route to default' }];
    expect(findAddressConflicts(config, host({ needed })).errors).toEqual([
      '--service-cidr 10.96.0.0/16 contains the gateway of the route to default, 10.96.0.1',
    ]);
  });
  it('are errors for a network within, warnings for a part of a larger one', () => {
    expect(findAddressConflicts(config, host({ routes: [route('10.244.3.0/24')] })).errors).toHaveLength(1);
    const { errors, warnings } = findAddressConflicts(config, host({ routes: [route('10.0.0.0/8')] }));
    expect([errors.length, warnings.length]).toEqual([0, 3]);
  });
});
