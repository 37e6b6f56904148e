import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Peer } from '../src/network/nodes/peer.ts';
import { canRun, clusterCidr, eventually, instance, type LabHost, type LabPod, type NodeLab, startNodeLab } from './support/node-lab.ts';

if (!canRun) console.warn('SKIPPED: the network between nodes needs root');

interface Route {
  readonly dst: string;
  readonly dev: string;
  readonly gateway?: string;
}

describe.skipIf(!canRun)('pod network of three hosts, one of them behind a router, all dropping by default', () => {
  let lab: NodeLab;
  let hosts: LabHost[];
  let pods: LabPod[];
  const host = (i: number): LabHost => hosts[i] as LabHost;
  const pod = (i: number): LabPod => pods[i] as LabPod;
  const routes = (h: LabHost): readonly Route[] => JSON.parse(h.run('ip', '-j', 'route', 'show', 'proto', '83')) as Route[];
  const wayTo = (from: LabHost, to: LabHost): string | undefined => routes(from).find((r) => r.dst === to.podCidr)?.dev;
  const others = (h: LabHost): Peer[] => hosts.filter((o) => o !== h).map((o) => o.peer);

  beforeAll(async () => {
    lab = await startNodeLab();
    hosts = await Promise.all([lab.addHost(1), lab.addHost(1), lab.addHost(2)]);
    await Promise.all(hosts.map((h) => h.start(others(h))));
    pods = await Promise.all(hosts.map((h) => h.addPod()));
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  it('chooses the segment where there is one and the tunnel where not', async () => {
    const expected = ['eth0', `skv-${instance}`, `skv-${instance}`];
    await eventually(
      'routes',
      () => [wayTo(host(0), host(1)), wayTo(host(0), host(2)), wayTo(host(2), host(0))],
      (ways) => isDeepStrictEqual(ways, expected),
    );
    expect(routes(host(0)).length).toBe(5);
  });

  it('shows pods each other’s own addresses', async () => {
    for (const from of pods) {
      for (const to of pods) {
        if (from === to) continue;
        await eventually(
          `an answer of ${to.address}`,
          () => from.ask(to.address, { patienceMs: 2_000 }),
          (answer) => answer === `${from.address} 1`,
        );
      }
    }
  });

  it('carries much, with packets as large as they may be', async () => {
    const bytes = 20_000_000;
    expect(await pod(0).ask(pod(1).address, { bytes })).toBe(`${pod(0).address} ${bytes}`);
    expect(await pod(0).ask(pod(2).address, { bytes })).toBe(`${pod(0).address} ${bytes}`);
    expect(await host(0).ask(pod(2).address, { bytes })).toBe(`10.194.1.0 ${bytes}`);
    expect(pod(0).run('ip', '-o', 'link', 'show', 'eth0')).toContain('mtu 1450');
  });

  it('lets the host’s own programs speak to pods anywhere, and hides pods from hosts that are not theirs', async () => {
    expect(await host(0).ask(pod(1).address)).toBe(`${host(0).address} 1`);
    expect(await pod(0).ask(host(1).address)).toBe(`${host(0).address} 1`);
    expect(await pod(0).ask(host(2).address)).toBe(`${host(0).address} 1`);
    expect(await pod(0).ask(host(0).address)).toBe(`${pod(0).address} 1`);
  });

  it('leads host ports to pods: three of one number apart, clients as they are, the pod itself and the loopback link too', async () => {
    const port = { hostPort: 7070, containerPort: 8080, protocol: 'TCP' } as const;
    const own = { ...port, hostIP: host(1).address };
    const [addressed, looped, any] = [
      await host(1).addPod([own]),
      await host(1).addPod([{ ...port, hostIP: '127.0.0.1' }]),
      await host(1).addPod([
        { ...port, hostIP: '', hostPort: 7071 },
        { ...port, protocol: 'UDP', hostIP: '' },
      ]),
    ];
    const at = { port: 7070 };
    expect(await host(0).ask(host(1).address, at)).toBe(`${host(0).address} 1`);
    expect(await host(2).ask(host(1).address, at)).toBe(`${host(2).address} 1`);
    expect(await pod(1).ask(host(1).address, at)).toBe(`${pod(1).address} 1`);
    expect(await addressed.ask(host(1).address, at)).toBe(`${host(1).address} 1`);
    expect(await host(1).ask('127.0.0.1', at)).toBe(`${host(1).address} 1`);
    expect(await host(1).ask('127.0.0.1', { ...at, localAddress: host(1).address })).toBe(`${host(1).address} 1`);
    expect(await host(1).ask(host(1).address, at)).toBe(`${host(1).address} 1`);
    for (const to of ['127.0.0.1', host(1).address]) expect(await host(1).ask(to, { port: 7071 })).toBe(`${host(1).address} 1`);
    expect(await any.ask(host(1).address, { port: 7071 })).toBe(`${host(1).address} 1`);
    // Who has a link that is open for answers to loopback addresses can't reach the host's own programs there.
    const detour = [
      'ip route add 127.0.0.1 via 169.254.1.1 dev eth0 table 99',
      'ip rule add pref 1 lookup local',
      'ip rule del pref 0',
      'ip rule add pref 0 to 127.0.0.1 lookup 99',
      'echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet',
    ];
    looped.run('sh', '-ec', detour.join('\n'));
    expect(await looped.ask('127.0.0.1', { patienceMs: 500 })).toBe('TIMEOUT');
    // Without the rule for it they can. It may be written again at any moment.
    const removeGuard = (): void => {
      const rules = host(1).run('iptables-save', '-t', 'filter').split('\n');
      for (const rule of rules.filter((l) => l.includes('-d 127.0.0.0/8'))) host(1).run('iptables', ...rule.replace('-A', '-D').split(' '));
    };
    expect(host(1).run('iptables-save', '-t', 'filter')).toContain('-d 127.0.0.0/8');
    await eventually(
      'the guard is what keeps them out',
      async () => {
        removeGuard();
        return await looped.ask('127.0.0.1', { patienceMs: 3_000 });
      },
      (answer) => answer === `${looped.address} 1`,
    );
    await host(1).tell('detach', { uid: 'h2-2', attempt: 0 });
    await eventually(
      'the port is closed',
      () => host(0).ask(host(1).address, at),
      (answer) => answer === 'ECONNREFUSED',
    );
    expect(await host(1).ask('127.0.0.1', at)).toBe(`${host(1).address} 1`);
  });

  it('refuses at once what nobody has', async () => {
    const unused = [pod(0).address.replace(/\d+$/, '250'), '10.194.77.7'];
    for (const address of unused) expect(['EHOSTUNREACH', 'ENETUNREACH']).toContain(await pod(0).ask(address));
  });

  it('follows the host’s MTU, in pods that run as well', async () => {
    lab.router('ip', 'link', 'set', 'p1', 'mtu', '1400');
    host(0).run('ip', 'link', 'set', 'eth0', 'mtu', '1400');
    await eventually(
      'the pod’s MTU',
      () => pod(0).run('ip', '-o', 'link', 'show', 'eth0'),
      (t) => t.includes('mtu 1350'),
    );
    await eventually(
      'the tunnel’s MTU',
      () => host(0).run('ip', '-o', 'link', 'show', `skv-${instance}`),
      (t) => t.includes('mtu 1350'),
    );
    expect(await pod(0).ask(pod(2).address, { bytes: 5_000_000 })).toBe(`${pod(0).address} 5000000`);
    expect(await pod(2).ask(pod(0).address, { bytes: 5_000_000 })).toBe(`${pod(2).address} 5000000`);
  });

  it('writes again what others remove: rules, routes, links', async () => {
    for (const args of [['-F'], ['-t', 'nat', '-F'], ['-X'], ['-t', 'nat', '-X']]) host(0).run('iptables', ...args);
    host(0).run('ip', 'route', 'flush', 'proto', '83');
    host(0).run('ip', 'link', 'delete', `skv-${instance}`);
    for (const to of [1, 2])
      await eventually(
        'an answer',
        () => pod(0).ask(pod(to).address, { patienceMs: 500 }),
        (a) => a === `${pod(0).address} 1`,
      );
    await eventually(
      'an answer the other way',
      () => pod(1).ask(pod(0).address, { patienceMs: 500 }),
      (a) => a === `${pod(1).address} 1`,
    );
  });

  it('opens firewalls that live beside iptables', async () => {
    const table = 'table inet mine';
    host(1).run(
      'nft',
      `${table} { chain f { type filter hook forward priority 0; policy drop; }; chain i { type filter hook input priority 0; policy drop; iifname "lo" accept; }; }`,
    );
    await eventually(
      'an answer',
      () => pod(0).ask(pod(1).address, { patienceMs: 500 }),
      (a) => a === `${pod(0).address} 1`,
    );
    await eventually(
      'an answer of the host',
      () => pod(2).ask(host(1).address, { patienceMs: 500 }),
      (a) => a === `${host(2).address} 1`,
    );
  });

  it('leaves a segment that carries no pods’ packets, and comes back', async () => {
    // As clouds do: the neighbour is there, and packets for others' addresses are dropped.
    host(1).run('iptables', '-t', 'raw', '-A', 'PREROUTING', '-i', 'eth0', '-s', clusterCidr, '-j', 'DROP');
    // With an address the way is looked for anew, which else happens once a minute.
    const moved = async (address: string): Promise<void> => {
      await host(1).tell('stop');
      host(1).run('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
      await host(1).start(others(host(1)), address);
      await host(0).tell('peers', [{ ...host(1).peer, address }, host(2).peer]);
      await host(2).tell('peers', [host(0).peer, { ...host(1).peer, address }]);
    };
    const viaSegment = (address: string): boolean => routes(host(0)).some((r) => r.dst === host(1).podCidr && r.gateway === address);
    await moved('10.193.1.111');
    await eventually(
      'the tunnel',
      () => wayTo(host(0), host(1)),
      (dev) => dev === `skv-${instance}`,
    );
    host(1).run('iptables', '-t', 'raw', '-F', 'PREROUTING');
    await moved('10.193.1.112');
    await eventually(
      'the segment',
      () => viaSegment('10.193.1.112'),
      (found) => found,
    );
    for (const to of [0, 2]) {
      await eventually(
        'an answer',
        () => pod(1).ask(pod(to).address, { patienceMs: 500 }),
        (answer) => answer === `${pod(1).address} 1`,
      );
    }
  });

  it('remembers the others while nobody tells it of them', async () => {
    await host(0).tell('peers', others(host(0)));
    await eventually(
      'the old address',
      () => routes(host(0)).find((r) => r.dst === host(1).podCidr)?.gateway,
      (g) => g === host(1).address,
    );
    await host(2).tell('stop');
    // As after a boot.
    host(2).run('ip', 'link', 'delete', `skv-${instance}`);
    host(2).run('iptables', '-F');
    await host(2).start();
    await eventually(
      'an answer',
      () => pod(2).ask(pod(0).address, { patienceMs: 500 }),
      (a) => a === `${pod(2).address} 1`,
    );
  });

  it('forgets a node that is gone', async () => {
    await host(0).tell('peers', [{ ...host(1).peer, address: '10.193.1.112' }]);
    await eventually(
      'the route',
      () => wayTo(host(0), host(2)),
      (dev) => dev === undefined,
    );
    await eventually(
      'the forwarding entry',
      () => host(0).run('bridge', 'fdb', 'show', 'dev', `skv-${instance}`),
      (text) => !text.includes(host(2).address),
    );
    expect(await pod(0).ask(pod(2).address)).toMatch(/EHOSTUNREACH|ENETUNREACH/);
  });

  it('leaves nothing behind, even when it was killed', async () => {
    await host(0).tell('stop');
    await host(0).tell('cleanUp', { instance, clusterCidrs: [clusterCidr] });
    expect(host(0).run('ip', 'route')).not.toContain('10.194.');
    expect(host(0).run('ip', '-o', 'link')).not.toMatch(/sk[pv]/);
    expect(host(0).run('iptables-save')).not.toContain('SKIFF');
    await host(1).tell('stop');
    await host(1).tell('cleanUp', { instance, clusterCidrs: [clusterCidr] });
    expect(host(1).run('nft', 'list', 'ruleset')).not.toContain('skiff');
  });
});
