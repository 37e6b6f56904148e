import { describe, expect, it } from 'vitest';
import { networkNames, podLink } from './names.ts';
import { parseSave, renderFirewall, renderRestore } from './host-firewall.ts';
import { podMac, renderHostWire, renderPodWire } from './wiring.ts';

describe('pod wiring', () => {
  const names = networkNames('skiff');
  it('names links within Linux’ limit and apart between instances', () => {
    const link = podLink(names, 'a-uid', 0);
    expect(link.length).toBeLessThanOrEqual(15);
    expect(link.startsWith(names.linkPrefix)).toBe(true);
    expect(podLink(names, 'a-uid', 1)).not.toBe(link);
    expect(networkNames('skiff7').linkPrefix).not.toBe(names.linkPrefix);
  });

  it('is point to point', () => {
    const wire = { link: 'x', address: '10.1.2.3', pid: 42 };
    expect(podMac(wire.address)).toBe('0a:58:0a:01:02:03');
    expect(renderHostWire(wire, { mtu: 1400, nodeAddress: '192.168.0.9' })).toContain(
      'route replace 10.1.2.3/32 dev x scope link src 192.168.0.9',
    );
    expect(renderPodWire(wire)).toContain('address add 10.1.2.3/32 dev eth0');
  });

  it('accepts on its own links and masquerades only what leaves the cluster', () => {
    const text = renderRestore(renderFirewall({ names, podCidr: '10.200.0.0/24', nonMasqueradeCidrs: ['10.96.0.0/16'] }));
    expect(text).toContain(`-A ${names.chains.forward} -i ${names.linkPrefix}+ -j ACCEPT`);
    expect(text.indexOf('-d 10.96.0.0/16 -j RETURN')).toBeLessThan(text.indexOf('-j MASQUERADE'));
    expect(parseSave(text).get(`nat/${names.chains.postrouting}`)?.at(-1)).toBe('-j MASQUERADE');
  });
});
