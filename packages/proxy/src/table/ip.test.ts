import { describe, expect, it } from 'vitest';
import { sourceChooser } from '../data/data-plane.ts';
import { cidrMatcher, networkAddress, parseIpv4Cidr, plainAddress, shadowMapper } from './ip.ts';

describe('addresses', () => {
  it('parses ranges', () => {
    expect(networkAddress('10.96.3.4/16')).toBe('10.96.0.0');
    expect(parseIpv4Cidr('10.0.0.0/30').size).toBe(4);
    for (const bad of ['10.0.0.0', '10.0.0/8', '10.0.0.0/33', 'fd00::/64', '']) expect(() => parseIpv4Cidr(bad)).toThrow();
  });
  it('matches lists of both families', () => {
    const matches = cidrMatcher(['10.0.0.0/8', 'fd00::/8']);
    expect(['10.1.2.3', 'fd00::1', '11.0.0.1', 'fe80::1'].map(matches)).toEqual([true, true, false, false]);
  });
  it('knows IPv4 clients of IPv6 sockets', () => expect(plainAddress('::ffff:10.0.0.1')).toBe('10.0.0.1'));
  it('maps a pod to its shadow by position', () => {
    const shadow = shadowMapper('10.244.0.0/16', '10.220.0.0/16');
    expect([shadow('10.244.1.2'), shadow('10.244.255.254'), shadow('10.245.0.1'), shadow('fd00::1')]).toEqual([
      '10.220.1.2',
      '10.220.255.254',
      undefined,
      undefined,
    ]);
    expect(() => shadowMapper('10.244.0.0/16', '10.220.0.0/24')).toThrow('as large as');
  });
});

describe('the source of a connection', () => {
  const source = sourceChooser({ localPodCidrs: ['10.244.1.0/24'], clusterCidr: '10.244.0.0/16', shadowCidr: '10.220.0.0/16' });
  it.each<[string, string, string, string | undefined]>([
    ['a pod of this node keeps its address', '10.244.1.2', '10.244.2.9', '10.220.1.2'],
    ['but not towards itself', '10.244.1.2', '10.244.1.2', undefined],
    ['nor towards what is no pod', '10.244.1.2', '192.168.1.5', undefined],
    ["a pod of another node gets the node's", '10.244.2.2', '10.244.1.9', undefined],
    ['so does the host', '192.168.1.5', '10.244.1.9', undefined],
  ])('%s', (_, client, address, expected) => expect(source(client, { address, port: 80 })).toBe(expected));
});
