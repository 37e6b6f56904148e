import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRun, eventually, startLab, type Lab } from './support/lab.ts';

if (!canRun) console.warn('SKIPPED: the tests of the Service network over several hosts need root (network namespaces)');

const web = '10.199.0.50';
const tcp = [{ name: 'http', port: 8080 }];
const both = [...tcp, { name: 'udp', port: 8082, protocol: 'UDP' }];

describe.skipIf(!canRun)('Services on three hosts', () => {
  let lab: Lab;
  const request = (place: string, host = web, port = 80): Promise<string> => lab.in(place, 'request', { host, port }) as Promise<string>;
  const requests = async (n: number, place: string, host = web, port = 80): Promise<readonly string[]> => {
    const answers: string[] = [];
    for (let i = 0; i < n; i++) answers.push(await request(place, host, port));
    return answers;
  };
  const servers = (answers: readonly string[]): readonly string[] => [...new Set(answers.map((a) => a.split(' ')[0] ?? ''))].sort();
  const clients = (answers: readonly string[]): readonly string[] => [
    ...new Set(answers.map((a) => (a.split(' ')[1] ?? '').replace('::ffff:', ''))),
  ];
  const all = ['p1', 'p2', 'p3'];
  /** Asks until all endpoints have served: they are chosen at random. */
  const spread = async (place: string, host = web, port = 80): Promise<readonly string[]> => {
    const answers: string[] = [];
    while (answers.length < 200 && all.some((p) => !servers(answers).includes(p))) answers.push(await request(place, host, port));
    expect(servers(answers), place).toEqual(all);
    return answers;
  };
  const settle = (place: string, what: string, accept: (answer: string) => boolean, host = web, port = 80): Promise<unknown> =>
    eventually(what, async () => accept(await request(place, host, port)));
  const addresses = (): readonly string[] => lab.hosts.map((h) => h.address);
  const places = ['host', 'host2', 'host3'];
  const putRecord = (address: string, service: string): void => {
    lab.api.put('/apis/networking.k8s.io/v1/ipaddresses', {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IPAddress',
      metadata: { name: address, labels: { 'ipaddress.kubernetes.io/managed-by': 'load-balancer.skiff.dev' } },
      spec: { parentRef: { resource: 'services', namespace: 'ns', name: service } },
    } as never);
  };
  const holderOf = (address: string): string | undefined =>
    lab.api.objects('ipaddresses').find((a) => a.metadata?.name === address)?.metadata?.annotations?.[
      'load-balancer.skiff.dev/announced-by'
    ];

  beforeAll(async () => {
    lab = await startLab({ hosts: 3 });
    for (const n of [1, 2, 3]) await lab.addPod(`p${n}`, `10.198.${n}.1`, n - 1);
    await lab.addPod('c1', '10.198.1.9', 0);
    await lab.addPod('c3', '10.198.3.9', 2);
    lab.putService('web', {
      type: 'NodePort',
      clusterIP: web,
      ports: [
        { name: 'http', port: 80, nodePort: 30_080 },
        { name: 'udp', port: 80, protocol: 'UDP', nodePort: 30_080 },
      ],
    });
    lab.putEndpoints('web', ['10.198.1.1', '10.198.2.1', '10.198.3.1'], both);
    await Promise.all(lab.hosts.map((h) => h.startProxy()));
    for (const place of places) await settle(place, `web answers on ${place}`, (a) => a.startsWith('p'));
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  it('answer on every host with endpoints on others, which see the client pod itself', async () => {
    for (const client of ['c1', 'c3', 'p2']) {
      const answers = await spread(client);
      const remote = answers.filter((a) => !a.startsWith(client));
      expect(clients(remote)).toEqual([client === 'c1' ? '10.198.1.9' : client === 'c3' ? '10.198.3.9' : '10.198.2.1']);
    }
  });
  it('answer hosts, which are seen under their own addresses', async () => {
    for (const [i, place] of places.entries()) {
      const answers = await spread(place);
      expect(clients(answers)).toEqual([addresses()[i]]);
    }
  });
  it('answer at the node ports of every host, to the segment and to pods', async () => {
    for (const [i, address] of addresses().entries()) {
      await settle('client', 'its node port is open', (a) => a.startsWith('p'), address, 30_080);
      const answers = await spread('client', address, 30_080);
      expect(clients(answers)).toEqual([addresses()[i]]);
      await spread('c1', address, 30_080);
    }
  });
  it('carry UDP over hosts, answers coming from the address that was asked', async () => {
    const seen = new Set<string>();
    await eventually('UDP is carried', async () =>
      String(await lab.in('c1', 'datagram', { host: web, port: 80, text: 'hi', patienceMs: 2_000 })).startsWith(web),
    );
    for (let i = 0; i < 200 && seen.size < all.length; i++) {
      const answer = String(await lab.in('c1', 'datagram', { host: web, port: 80, text: 'hi' }));
      expect(answer).toMatch(/^10\.199\.0\.50:80 p[123] 10\.198\.1\.9 hi$/);
      seen.add(answer.split(' ')[1] ?? '');
    }
    expect([...seen].sort()).toEqual(all);
    const [, second = ''] = addresses();
    expect(await lab.in('client', 'datagram', { host: second, port: 30_080, text: 'hi' })).toMatch(
      new RegExp(`^${second}:30080 p[123] [0-9.]+ hi$`),
    );
  });
  it('reach endpoints that are other hosts themselves', async () => {
    lab.putService('hosts', { clusterIP: '10.199.0.52', ports: [{ name: 'http', port: 80 }] });
    lab.putEndpoints('hosts', [lab.hosts[1]?.address ?? ''], tcp, { nodeName: 'n2' });
    await settle('c1', 'a host serves', (a) => a.startsWith('host2'), '10.199.0.52');
    expect(clients([await request('c1', '10.199.0.52')])).toEqual([lab.nodeAddress]);
    await settle('p2', 'and to its own pods', (a) => a.startsWith('host2'), '10.199.0.52');
    expect(await request('host', '10.199.0.52')).toContain(`host2 ::ffff:${lab.nodeAddress}`);
  });
  it('stay on the host with internalTrafficPolicy Local, and nearby with hints', async () => {
    lab.putService('near', { clusterIP: '10.199.0.53', internalTrafficPolicy: 'Local', ports: [{ name: 'http', port: 80 }] });
    lab.putEndpoints('near', ['10.198.1.1', '10.198.3.1'], tcp);
    await settle('c1', 'the own host serves', (a) => a.startsWith('p1'), '10.199.0.53');
    expect(servers(await requests(20, 'c1', '10.199.0.53'))).toEqual(['p1']);
    await settle('c3', 'the own host serves', (a) => a.startsWith('p3'), '10.199.0.53');
    expect(servers(await requests(20, 'c3', '10.199.0.53'))).toEqual(['p3']);
    await settle('p2', 'nobody serves where there is no endpoint', (a) => a === 'ECONNREFUSED', '10.199.0.53');
  });
  it('show clients of the segment to pods with externalTrafficPolicy Local, and drop where there is none', async () => {
    lab.putService('local', {
      type: 'NodePort',
      clusterIP: '10.199.0.54',
      externalTrafficPolicy: 'Local',
      ports: [{ name: 'http', port: 80, nodePort: 30_090 }],
    });
    lab.putEndpoints('local', ['10.198.2.1'], tcp);
    const [first = '', second = ''] = addresses();
    await settle('client', 'the client is seen', (a) => a.includes(lab.segmentAddress(100)), second, 30_090);
    // Whoever accepts first in the filter table.
    lab.run('iptables', '-I', 'INPUT', '1', '-i', 'eth0', '-j', 'ACCEPT');
    for (const place of ['host2', 'client'])
      await eventually(
        `${place} is dropped`,
        async () => (await lab.in(place, 'request', { host: first, port: 30_090, patienceMs: 1_000 })) === 'TIMEOUT',
      );
    // Pods and hosts get an answer anywhere.
    await settle('c1', 'a pod is answered', (a) => a.includes('p2'), first, 30_090);
  });
  it('let go on with externalTrafficPolicy Local what is open when the endpoint becomes unready, and drop what is new', async () => {
    const spec = {
      type: 'NodePort',
      clusterIP: '10.199.0.56',
      externalTrafficPolicy: 'Local',
      ports: [{ name: 'http', port: 80, nodePort: 30_091 }],
    };
    const [, host = ''] = addresses();
    lab.putService('ending', spec);
    lab.putEndpoints('ending', ['10.198.2.1'], tcp);
    await settle('client', 'the client is seen', (a) => a.includes(lab.segmentAddress(100)), host, 30_091);
    expect(await lab.in('client', 'hold', { key: 'ending', host, port: 30_091 })).toBe('open');
    expect(await lab.in('client', 'write', { key: 'ending', text: 'before ' })).toBe('ok');
    lab.putEndpoints('ending', ['10.198.2.1'], tcp, { conditions: { ready: false, serving: false } });
    const attempt = (): Promise<unknown> => lab.in('client', 'request', { host, port: 30_091, patienceMs: 1_000 });
    await eventually('new ones are dropped', async () => (await attempt()) === 'TIMEOUT');
    expect(await lab.in('client', 'write', { key: 'ending', text: 'after' })).toBe('ok');
    expect(await lab.in('client', 'finish', { key: 'ending' })).toMatch(/^p2 \S+ 12 /);
  });
  it("let in nobody outside of a load balancer's source ranges with externalTrafficPolicy Local", async () => {
    const vip = lab.segmentAddress(201);
    const client = lab.segmentAddress(100);
    const put = (...loadBalancerSourceRanges: string[]): void => {
      const spec = { type: 'LoadBalancer', clusterIP: '10.199.0.57', externalTrafficPolicy: 'Local', loadBalancerSourceRanges };
      const ports = [{ name: 'http', port: 80, nodePort: 30_092 }];
      lab.putService('ranges', { ...spec, ports }, { loadBalancer: { ingress: [{ ip: vip, ipMode: 'VIP' }] } });
    };
    const attempt = (host: string, port: number): Promise<unknown> => lab.in('client', 'request', { host, port, patienceMs: 1_000 });
    putRecord(vip, 'ranges');
    put('192.0.2.0/24', `${client}/32`);
    lab.putEndpoints('ranges', ['10.198.2.1'], tcp);
    await settle('client', 'the client is let in', (a) => a.includes(client), vip);
    put('192.0.2.0/24');
    await eventually('the client is dropped', async () => (await attempt(vip, 80)) === 'TIMEOUT');
    // Node ports have no ranges.
    await settle('client', 'the node port answers', (a) => a.includes(`p2 ::ffff:${client}`), lab.hosts[1]?.address ?? '', 30_092);
    put('192.0.2.0/24', `${client}/32`);
    await settle('client', 'the client is let in again', (a) => a.includes(client), vip);
  });

  it("lead to a load balancer's address from the segment, hosts and pods, and to another host when one dies", async () => {
    const vip = lab.segmentAddress(200);
    const spec = { type: 'LoadBalancer', clusterIP: '10.199.0.55', ports: [{ name: 'http', port: 80 }] };
    putRecord(vip, 'lb');
    lab.putService('lb', spec, { loadBalancer: { ingress: [{ ip: vip, ipMode: 'VIP' }] } });
    lab.putEndpoints('lb', ['10.198.1.1', '10.198.2.1', '10.198.3.1'], tcp);
    const holder = await eventually('a host announces it', async () => holderOf(vip));
    for (const place of ['client', 'c1', 'c3', 'host', 'host2', 'host3']) {
      await settle(place, `${place} reaches it`, (a) => a.startsWith('p'), vip);
      await spread(place, vip);
    }
    expect(clients(await requests(5, 'c3', vip))).toEqual(['10.198.3.9']);

    // The holder's cable is pulled: another host takes the address, and the segment learns of it.
    const index = lab.hosts.findIndex((h) => h.name === holder);
    const cutMs = performance.now();
    lab.hosts[index]?.setLink('down');
    await eventually('another host announces it', async () => holderOf(vip) !== holder, 60_000);
    const movedMs = performance.now() - cutMs;
    await settle('client', 'the client reaches it again', (a) => a.startsWith('p'), vip);
    const reachedMs = performance.now() - cutMs;
    console.info(`the address moved after ${movedMs.toFixed(0)} ms, the client reached it after ${reachedMs.toFixed(0)} ms`);
    expect(movedMs).toBeLessThan(30_000);
    const next = holderOf(vip);
    lab.hosts[index]?.setLink('up');
    // It comes back and leaves the address where it is.
    await eventually(
      'the first holder has let go',
      async () => {
        const neighbours = lab.hosts[index]?.run('ip', 'neighbour', 'show', 'proxy') ?? '';
        return !neighbours.includes(vip);
      },
      60_000,
    );
    expect(holderOf(vip)).toBe(next);
    // The pod of the host that was away comes back little by little.
    for (const answer of await requests(20, 'client', vip)) expect(answer).toMatch(/^p[123] /);
  });
});
