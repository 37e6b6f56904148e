import { describe, expect, it } from 'vitest';
import { initialPath, nextPath, type PathState, type ProbeResult } from './choose-path.ts';
import { directAddress, isUsablePeer, judgeNodes, type PeerRules, tunnelAddress, tunnelMac } from './peer.ts';
import { renderNodes } from './render-nodes.ts';
import { parseRoutes } from './uplink.ts';

const rules = (o: Partial<PeerRules> = {}): PeerRules => ({ self: 'self', clusterCidrs: [], ownCidrs: [], nodeAddress: '10.0.0.1', ...o });

describe('other nodes', () => {
  it('are those with a range and an address', () => {
    const node = (name: string, address: string | undefined, podCIDRs: string[]) => ({
      metadata: { name },
      spec: { podCIDRs },
      status:
        address === undefined
          ? {}
          : {
              addresses: [
                { type: 'Hostname', address: name },
                { type: 'InternalIP', address },
              ],
            },
    });
    const { peers: found, refused } = judgeNodes(
      [
        node('c', '10.0.0.3', ['10.1.2.0/24', 'fd00::/64']),
        node('b', '10.0.0.2', ['10.1.1.0/24']),
        node('self', '10.0.0.1', ['10.1.0.0/24']),
        node('young', '10.0.0.4', []),
        node('silent', undefined, ['10.1.4.0/24']),
        node('alone', '127.0.0.1', ['10.1.5.0/24']),
      ],
      rules(),
    );
    expect(refused).toEqual([]);
    expect(found).toEqual([
      { name: 'b', address: '10.0.0.2', podCidrs: ['10.1.1.0/24'] },
      { name: 'c', address: '10.0.0.3', podCidrs: ['10.1.2.0/24'] },
    ]);
  });

  it('count only with ranges of the cluster that no older node has', () => {
    const aged = (name: string, created: string, podCidrs: string[]) => {
      const address = { type: 'InternalIP', address: `10.0.0.${name.length}` };
      return { metadata: { name, creationTimestamp: created }, spec: { podCIDRs: podCidrs }, status: { addresses: [address] } };
    };
    const { peers: found, refused } = judgeNodes(
      [
        aged('self', '2026-01-09T00:00:00Z', ['10.1.0.0/24']),
        aged('older', '2026-01-01T00:00:00Z', ['10.1.1.0/24']),
        aged('thief', '2026-01-02T00:00:00Z', ['10.1.1.128/25', '10.1.0.0/24']),
        aged('world', '2026-01-03T00:00:00Z', ['0.0.0.0/0', '10.96.0.0/16', '10.1.9.7/24', 'none']),
        aged('wish', '2026-01-04T00:00:00Z', ['10.1.8.0/25']),
        aged('fine', '2026-01-05T00:00:00Z', ['10.1.2.0/24']),
      ],
      rules({ clusterCidrs: ['10.1.0.0/16'], ownCidrs: ['10.1.8.0/24'] }),
    );
    expect(refused).toEqual([
      'the range "10.1.1.128/25" of node "thief" overlaps with the one of node "older"',
      'the range "10.1.0.0/24" of node "thief" overlaps with the one of node "self"',
      'the range "0.0.0.0/0" of node "world" overlaps with the one of node "self"',
      'the range "10.96.0.0/16" of node "world" is not within the cluster\'s',
      'the range "10.1.9.7/24" of node "world" is no range',
      'the range "none" of node "world" is no range',
      'the range "10.1.8.0/25" of node "wish" overlaps with the one of node "self"',
    ]);
    expect(found.map((p) => [p.name, p.podCidrs])).toEqual([
      ['fine', ['10.1.2.0/24']],
      ['older', ['10.1.1.0/24']],
    ]);
  });

  it.each([
    ['nonsense', '10.1.1.0/24'],
    ['0.0.0.0', '10.1.1.0/24'],
    ['127.0.0.1', '10.1.1.0/24'],
    ['224.0.0.5', '10.1.1.0/24'],
    ['255.255.255.255', '10.1.1.0/24'],
    ['10.0.0.2/0', '10.1.1.0/24'],
    ['0.0.0.0/0 -j ACCEPT\n-A INPUT -s 10.0.0.2', '10.1.1.0/24'],
    ['10.0.0.2', '10.1.1.0/24/x\nroute add default'],
    ['10.0.0.2', '10.1.1.0/0x18'],
    ['10.0.0.2', '10.1.1.0/24\n'],
  ])('don’t count with address %j and range %j', (address, cidr) => {
    const node = { metadata: { name: 'n' }, spec: { podCIDRs: [cidr] }, status: { addresses: [{ type: 'InternalIP', address }] } };
    expect(judgeNodes([node], rules({ clusterCidrs: ['10.1.0.0/16'] })).peers).toEqual([]);
    expect(isUsablePeer({ name: 'n', address, podCidrs: [cidr] })).toBe(false);
  });

  it('may not have everything, or this host, where the cluster’s range is not known', () => {
    const node = (cidr: string) => ({
      metadata: { name: 'n' },
      spec: { podCIDRs: [cidr] },
      status: { addresses: [{ type: 'InternalIP', address: '10.0.0.2' }] },
    });
    const refused = (cidr: string) => judgeNodes([node(cidr)], rules()).refused;
    expect(refused('0.0.0.0/0')).toEqual(['the range "0.0.0.0/0" of node "n" is too large']);
    expect(refused('10.0.0.0/24')).toEqual(['the range "10.0.0.0/24" of node "n" has this host\'s own address 10.0.0.1 in it']);
    expect(refused('10.7.0.0/24')).toEqual([]);
    expect(isUsablePeer({ name: 'n', address: '10.0.0.2', podCidrs: ['10.7.0.0/24'] })).toBe(true);
    expect(isUsablePeer({ name: 'n', address: '10.0.0.2' })).toBe(false);
  });

  it('keep two addresses of their range', () => {
    expect([tunnelAddress('10.1.2.0/24'), directAddress('10.1.2.0/24'), tunnelMac('10.1.2.0/24')]).toEqual([
      '10.1.2.0',
      '10.1.2.1',
      '0a:5c:0a:01:02:00',
    ]);
  });

  it('are reached through the tunnel or directly', () => {
    const self = { podCidr: '10.1.0.0/24', nodeAddress: '10.0.0.1', vxlanLink: 'skv-x' };
    const plan = renderNodes(self, [
      { name: 'b', address: '10.0.0.2', podCidrs: ['10.1.1.0/24'], path: 'direct', onLinkDevice: 'eth0' },
      { name: 'c', address: '10.9.0.3', podCidrs: ['10.1.2.0/24'], path: 'vxlan', onLinkDevice: undefined },
    ]);
    expect(Object.fromEntries(plan.routes)).toEqual({
      '10.1.1.0/24': 'via 10.0.0.2 dev eth0 src 10.0.0.1',
      '10.1.1.0/32': 'dev skv-x scope link src 10.1.0.0',
      '10.1.1.1/32': 'via 10.0.0.2 dev eth0 src 10.1.0.1',
      '10.1.2.0/24': 'via 10.1.2.0 dev skv-x onlink src 10.1.0.0',
      '10.1.2.0/32': 'dev skv-x scope link src 10.1.0.0',
    });
    expect(plan.forwarding[1]).toBe('fdb replace 0a:5c:0a:01:02:00 dev skv-x dst 10.9.0.3 self permanent');
  });
});

describe('choice of the way', () => {
  const yes: ProbeResult = { direct: true, tunnel: false };
  const wrapped: ProbeResult = { direct: false, tunnel: true };
  const none: ProbeResult = { direct: false, tunnel: false };
  const after = (start: PathState, ...results: ProbeResult[]): PathState =>
    results.reduce((s, r) => nextPath(s, r, s.nextProbeAtMs), start);
  const near = initialPath(true, undefined, 0);

  it('is the tunnel behind a router, without asking', () => {
    expect(initialPath(false, 'direct', 0)).toMatchObject({ path: 'vxlan', nextProbeAtMs: Number.POSITIVE_INFINITY });
  });
  it('leaves the direct way only for a tunnel that works, not for a lost packet', () => {
    expect(after(near, wrapped).path).toBe('direct');
    expect(after(near, wrapped, yes, wrapped).path).toBe('direct');
    expect(after(near, wrapped, wrapped).path).toBe('vxlan');
    expect(after(near, none, none, none).path).toBe('direct');
  });
  it('comes back to the direct way', () => {
    expect(after(near, wrapped, wrapped, yes).path).toBe('direct');
  });
  it('keeps what it had while a node is down, and asks ever less', () => {
    const down = after(initialPath(true, 'vxlan', 0), none, none, none);
    expect(down.path).toBe('vxlan');
    expect(nextPath(down, none, 0).nextProbeAtMs).toBe(8_000);
    expect(after(down, none, none, none, none, none, none).silent).toBe(9);
    expect(nextPath(after(down, none, none, none, none, none), none, 0).nextProbeAtMs).toBe(60_000);
  });
});

describe('routes of the kernel', () => {
  it('are read without a process', () => {
    const text = [
      'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
      'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
      'skv-x\t0002010A\t0002010A\t0007\t0\t0\t0\t00FFFFFF\t0\t0\t0',
      '',
    ].join('\n');
    expect(parseRoutes(text)).toEqual([
      { destination: '0.0.0.0/0', gateway: '192.0.2.1', device: 'eth0' },
      { destination: '10.1.2.0/24', gateway: '10.1.2.0', device: 'skv-x' },
    ]);
  });
});
