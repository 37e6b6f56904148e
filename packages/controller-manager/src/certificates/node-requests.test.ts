import type { Node } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import type { RequestedIdentity } from './certificate-request.ts';
import { isLiveNode, isOwnServing } from './node-requests.ts';
import { isProxyIdentity } from './signer-rules.ts';

const node = (name: string, address: string, ready = 'True'): Node => ({
  metadata: { name },
  status: {
    addresses: [
      { type: 'InternalIP', address },
      { type: 'Hostname', address: name },
    ],
    conditions: [{ type: 'Ready', status: ready }],
  },
});
const identity = (o: Partial<RequestedIdentity>): RequestedIdentity => ({
  commonName: 'system:node:a',
  organizations: ['system:nodes'],
  dnsNames: [],
  ipAddresses: [],
  emailAddresses: [],
  uris: [],
  ...o,
});

describe('isOwnServing', () => {
  const nodes = [node('a', '10.0.0.1'), node('b', '10.0.0.2')];
  it.each([
    ['its name and address', { dnsNames: ['a'], ipAddresses: ['10.0.0.1'] }, nodes, true],
    ['an address that it does not have', { ipAddresses: ['10.0.0.9'] }, nodes, false],
    ['another node’s address', { ipAddresses: ['10.0.0.2'] }, nodes, false],
    ['an address that it claims and another has', { ipAddresses: ['10.0.0.2'] }, [node('a', '10.0.0.2'), node('b', '10.0.0.2')], false],
    ['a name that is not its own', { dnsNames: ['kubernetes'] }, [{ ...node('a', 'kubernetes') }], false],
    ['a Node that is not there yet', { dnsNames: ['a'] }, [], false],
  ] as const)('%s', (_what, wanted, all, expected) => expect(isOwnServing(identity(wanted), all)).toBe(expected));
});

it('a live node is one that is Ready', () => {
  const nodes = [node('a', '10.0.0.1'), node('b', '10.0.0.2', 'Unknown')];
  expect(['a', 'b', 'c'].map((name) => isLiveNode(name, nodes))).toEqual([true, false, false]);
});

describe('isProxyIdentity', () => {
  const proxy = { commonName: 'system:kube-proxy', organizations: ['system:node-proxier'] };
  const usages = ['digital signature', 'client auth'];
  it.each([
    ['the proxies’', proxy, usages, true],
    ['another user', { ...proxy, commonName: 'system:kube-scheduler' }, usages, false],
    ['another group', { ...proxy, organizations: ['system:node-proxier', 'system:masters'] }, usages, false],
    ['with names', { ...proxy, dnsNames: ['x'] }, usages, false],
    ['for a server', proxy, [...usages, 'server auth'], false],
  ] as const)('%s', (_what, wanted, use, expected) => expect(isProxyIdentity(identity(wanted), use)).toBe(expected));
});
