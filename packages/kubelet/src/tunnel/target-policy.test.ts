import { describe, expect, it } from 'vitest';
import { canonicalAddress, type LocalNetwork, planTarget, refusalOf } from './target-policy.ts';

const local: LocalNetwork = {
  podAddresses: new Set(['10.244.1.5', 'fd00:1::5']),
  hostNetworkPorts: new Set([9100]),
  nodeAddresses: ['192.168.1.10'],
  ownAddresses: new Set(['127.0.0.1', '192.168.1.10', '172.17.0.1', '10.244.1.1', 'fd00::10']),
};
const pod = (host: string, port = 80) => planTarget({ pod: { host, port } }, local).kind;
const address = (host: string, port = 80) => planTarget({ address: { host, port } }, local).kind;

describe('what a node connects to for the control plane', () => {
  it('its own kubelet has no address', () => {
    expect(planTarget({ kubelet: {} }, local)).toEqual({ kind: 'kubelet' });
  });

  it('its own pods, and no other address under that name', () => {
    expect([pod('10.244.1.5'), pod('::ffff:10.244.1.5'), pod('FD00:1::5')]).toEqual(['connect', 'connect', 'connect']);
    expect([pod('10.244.2.5'), pod('127.0.0.1'), pod('192.168.1.10'), pod('name')]).toEqual(['refuse', 'refuse', 'refuse', 'refuse']);
  });

  it('ports that its host-network pods declare, and no others of the node', () => {
    expect([pod('192.168.1.10', 9100), address('192.168.1.10', 9100)]).toEqual(['connect', 'connect']);
    expect([pod('192.168.1.10', 10_250), address('192.168.1.10', 22), address('172.17.0.1', 2375)]).toEqual(['refuse', 'refuse', 'refuse']);
    expect(pod('127.0.0.1', 9100)).toBe('refuse');
  });

  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '127.0.0.1',
    '127.8.8.8',
    '169.254.169.254',
    '169.254.0.1',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'FE80::1',
    'ff02::1',
    'fd00:ec2::254',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:a9fe:a9fe',
    '64:ff9b::7f00:1',
    'fd00::10',
  ])('never %s', (host) => {
    expect(address(host)).toBe('refuse');
    expect(refusalOf(host, 80, local)).toBeDefined();
  });

  it('what its pods could reach', () => {
    expect([address('10.96.0.10', 443), address('10.244.7.7'), address('93.184.216.34'), address('2001:db8::1')]).toEqual(
      Array.from({ length: 4 }, () => 'connect'),
    );
  });

  it('names are judged by what they resolve to', () => {
    expect(planTarget({ address: { host: 'localhost', port: 80 } }, local)).toEqual({ kind: 'connect', host: 'localhost', port: 80 });
    expect(refusalOf('127.0.0.1', 80, local)).toContain('loopback');
    expect(refusalOf('localhost', 80, local)).toBe('localhost is no address');
  });

  it('nothing that it does not understand', () => {
    for (const t of [
      undefined,
      null,
      {},
      { pod: { host: '10.244.1.5', port: 0 } },
      { address: { host: '', port: 80 } },
      { address: { host: 'a', port: 70_000 } },
    ])
      expect(planTarget(t, local).kind).toBe('refuse');
  });

  it('IPv4 in IPv6 is IPv4', () => {
    expect(canonicalAddress('::FFFF:0a00:0001')).toBe('10.0.0.1');
  });
});
