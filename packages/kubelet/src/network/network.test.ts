import { parseSavedTables, renderRestore } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { networkNames, podLink } from './names.ts';
import { renderFirewall } from './firewall-plan.ts';
import { planForeignChains } from './foreign-chains.ts';
import { renderHostPorts } from './host-port.ts';
import { podMac, removeUnreachable, renderHostWire, renderPodWire } from './wiring.ts';

/** Whatever the table. */
const foreignLines = (...o: Parameters<typeof planForeignChains>): readonly string[] => [...planForeignChains(...o).values()].flat();

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
    expect(renderHostWire(wire, { nodeAddress: '192.168.0.9' })).toContain('route replace 10.1.2.3/32 dev x scope link src 192.168.0.9');
    expect(renderPodWire(wire, { mtu: 1400, hostPid: 1 })).toContain('address add 10.1.2.3/32 dev eth0');
  });

  it('takes back its unreachable ranges, also when another node of the host takes back the same', async () => {
    const deleted: string[] = [];
    const shown =
      'unreachable 10.1.0.0/24 metric 4278198272 \nunreachable 10.1.1.0/24 metric 4278198272 \nunreachable 10.1.2.0/24 metric 7 \n';
    const runFailingWith = (message: string) => async (_: string, args: readonly string[]) => {
      if (args[1] === 'show') return shown;
      deleted.push(args[3] ?? '');
      if (args[3] === '10.1.0.0/24') throw new Error(message);
      return '';
    };
    await removeUnreachable(runFailingWith('RTNETLINK answers: No such process'), '10.1.0.0/16');
    expect(deleted).toEqual(['10.1.0.0/24', '10.1.1.0/24']);
    await expect(removeUnreachable(runFailingWith('Operation not permitted'), '10.1.0.0/16')).rejects.toThrow('not permitted');
  });

  const rules = {
    podCidrs: ['10.200.0.0/24'],
    nonMasqueradeCidrs: ['10.200.0.0/16', '10.96.0.0/16'],
    peers: [{ name: 'b', address: '192.168.0.12', podCidrs: ['10.200.1.0/24'] }],
    vxlanPort: 8474,
    hostPorts: [],
    hostSource: '192.168.0.11',
  };
  it('accepts on its own links and from other nodes, and masquerades only what leaves the cluster', () => {
    const text = renderRestore(renderFirewall(names, rules).chains);
    expect(text).toContain(`-A ${names.chains.forward} -i ${names.linkPrefix}+ -j ACCEPT`);
    expect(text.indexOf('-d 10.96.0.0/16 -j RETURN')).toBeLessThan(text.indexOf('-j MASQUERADE'));
    expect(text.indexOf('-s 192.168.0.12/32 -j ACCEPT')).toBeLessThan(text.indexOf('--dport 8474 -j DROP'));
    expect(parseSavedTables(text)['nat']?.[names.chains.postrouting]?.at(-1)).toBe('-s 10.200.0.0/24 -j MASQUERADE --random-fully');
  });

  it('leads host ports to pods, for every address, one address, or the loopback link', () => {
    const port = { hostIP: '', hostPort: 7070, containerPort: 80, protocol: 'TCP' } as const;
    const of = (
      ...ports: readonly (typeof port | (Omit<typeof port, 'hostIP' | 'protocol'> & { hostIP: string; protocol: 'TCP' | 'UDP' }))[]
    ) => renderHostPorts([{ address: '10.200.0.7', ports }], 'skp+', '192.168.0.11');
    expect(of(port).prerouting).toEqual(['-m addrtype --dst-type LOCAL -p tcp --dport 7070 -j DNAT --to-destination 10.200.0.7:80']);
    expect(of(port).output).toEqual(of(port).prerouting);
    expect(of(port).postrouting).toEqual([
      '-s 10.200.0.7/32 -d 10.200.0.7/32 -o skp+ -j SNAT --to-source 192.168.0.11',
      '-s 127.0.0.0/8 -o skp+ -j SNAT --to-source 192.168.0.11',
    ]);
    const one = of({ ...port, hostIP: '192.168.0.11', protocol: 'UDP' });
    expect(one.prerouting).toEqual(['-d 192.168.0.11/32 -p udp --dport 7070 -j DNAT --to-destination 10.200.0.7:80']);
    expect(one.postrouting).toHaveLength(1);
    expect(of({ ...port, hostIP: '127.0.0.1' }).postrouting).toHaveLength(2);
  });

  describe('firewalls in tables of their own', () => {
    const chain = (over: object) => ({
      chain: { family: 'inet', table: 'filter', name: 'forward', type: 'filter', hook: 'forward', ...over },
    });
    it('are opened where they refuse, and only there', () => {
      const lines = foreignLines(
        [
          chain({ policy: 'drop' }),
          chain({ table: 'quiet', policy: 'accept' }),
          chain({ family: 'ip', name: 'FORWARD', policy: 'drop' }),
          chain({ name: 'input', hook: 'input', policy: 'accept' }),
          { rule: { family: 'inet', table: 'filter', chain: 'input', handle: 4, expr: [{ reject: null }] } },
        ],
        names,
        rules,
      );
      expect(lines.filter((l) => l.startsWith('insert rule inet filter forward '))).toHaveLength(4);
      expect(lines.filter((l) => l.startsWith('insert rule inet filter input '))).toHaveLength(4);
      expect(lines).toHaveLength(8);
      expect(lines.at(-1)).toMatch(/^insert rule inet filter input iifname "skp.*\*" accept comment "skiff skiff [0-9a-f]{12}"$/);
    });
    it('are changed one by one: a table that is locked keeps no other shut', () => {
      const second = { chain: { family: 'inet', table: 'locked', name: 'forward', type: 'filter', hook: 'forward', policy: 'drop' } };
      const tables = planForeignChains([chain({ policy: 'drop' }), second], names, rules);
      expect([...tables.keys()]).toEqual(['inet filter', 'inet locked']);
      for (const [table, lines] of tables) expect(lines.every((l) => l.startsWith(`insert rule ${table} forward `))).toBe(true);
    });
    it('are left alone when all is there, brought up to date when not, and left clean', () => {
      const there = chain({ policy: 'drop' });
      const comment = /"(skiff .*)"/.exec(foreignLines([there], names, rules)[0] ?? '')?.[1] ?? '';
      const own = [1, 2, 3, 4].map((handle) => ({ rule: { family: 'inet', table: 'filter', chain: 'forward', handle, comment } }));
      expect(foreignLines([there, ...own], names, rules)).toEqual([]);
      expect(foreignLines([there, ...own.slice(1)], names, rules)).toHaveLength(7);
      expect(foreignLines([there, ...own], names, undefined)).toEqual(
        [1, 2, 3, 4].map((handle) => `delete rule inet filter forward handle ${handle}`),
      );
      const others = { rule: { family: 'inet', table: 'filter', chain: 'forward', handle: 9, comment: 'skiff skiff2 abc' } };
      expect(foreignLines([there, ...own, others], names, undefined)).toHaveLength(4);
    });
  });
});
