import type { Node, Service } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { assignNodeAddresses } from './node-addresses.ts';
import { servesLoadBalancers } from './service-facts.ts';

const node = (name: string, address: string, more: Partial<Node> = {}): Node => ({
  metadata: { name },
  status: { addresses: [{ type: 'InternalIP', address }], conditions: [{ type: 'Ready', status: 'True' }] },
  ...more,
});
const service = (name: string, port: number, more: Partial<Service> = {}): Service => ({
  metadata: { namespace: 'ns', name, uid: name, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { type: 'LoadBalancer', ports: [{ port }] },
  ...more,
});
const nodes = [node('b', '192.0.2.2'), node('a', '192.0.2.1')];

describe("load balancers on the nodes' addresses", () => {
  it('are reached at every node', () => {
    const web = service('web', 80);
    expect(assignNodeAddresses(web, { nodes, rivals: [web, service('other', 81)] })).toEqual({
      ingress: [
        { ip: '192.0.2.1', ipMode: 'Proxy' },
        { ip: '192.0.2.2', ipMode: 'Proxy' },
      ],
    });
  });
  it('never share a port: the older one has it, and who has it keeps it', () => {
    const [a, b] = [service('a', 80), service('b', 80)];
    const clash = { refusal: { reason: 'PortConflict', message: expect.stringContaining('port 80/TCP') as string } };
    expect(assignNodeAddresses(a, { nodes, rivals: [a, b] })).toHaveProperty('ingress');
    expect(assignNodeAddresses(b, { nodes, rivals: [a, b] })).toEqual(clash);
    const holder = service('b', 80, { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'Proxy' }] } } });
    expect(assignNodeAddresses(a, { nodes, rivals: [a, holder] })).toEqual(clash);
    expect(assignNodeAddresses(holder, { nodes, rivals: [a, holder] })).toHaveProperty('ingress');
    const udp = service('c', 80, { spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'UDP' }] } });
    expect(assignNodeAddresses(udp, { nodes, rivals: [a, udp] })).toHaveProperty('ingress');
  });
  it('take the address that was asked for, or none', () => {
    const at = (ip: string): Service => service('x', 1, { spec: { type: 'LoadBalancer', loadBalancerIP: ip, ports: [{ port: 1 }] } });
    expect(assignNodeAddresses(at('192.0.2.2'), { nodes, rivals: [] })).toEqual({ ingress: [{ ip: '192.0.2.2', ipMode: 'Proxy' }] });
    expect(assignNodeAddresses(at('192.0.2.9'), { nodes, rivals: [] })).toMatchObject({ refusal: { reason: 'AddressNotAvailable' } });
    expect(assignNodeAddresses(service('x', 1), { nodes: [], rivals: [] })).toMatchObject({ refusal: { reason: 'NoNodes' } });
  });
});

describe('nodes that serve load balancers', () => {
  const label = 'node.kubernetes.io/exclude-from-external-load-balancers';
  it.each([
    ['a ready one', node('n', '1.1.1.1'), true],
    ['one that is labelled to be left out', node('n', '1.1.1.1', { metadata: { name: 'n', labels: { [label]: '' } } }), false],
    ['one whose label says false', node('n', '1.1.1.1', { metadata: { name: 'n', labels: { [label]: 'false' } } }), true],
    ['one that is not ready', node('n', '1.1.1.1', { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }), false],
    [
      'one that is about to be removed',
      node('n', '1.1.1.1', { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } }),
      false,
    ],
  ])('%s', (_, n, expected) => {
    expect(servesLoadBalancers(n)).toBe(expected);
  });
});
