import { decode, encode } from 'dns-packet';
import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRun, dnsAddress, eventually, startLab, type Lab } from './support/lab.ts';

if (!canRun) console.warn('SKIPPED: the tests of the Service network need root (network namespaces)');

const hasConntrack = canRun && spawnSync('conntrack', ['--version']).status === 0;
if (canRun && !hasConntrack) console.warn('SKIPPED: what makes connections forgotten needs the program conntrack');

const web = '10.199.0.50';
const ports = {
  tcp: [
    { name: 'http', port: 8080 },
    { name: 'bulk', port: 8081 },
  ],
  udp: [{ name: 'udp', port: 8082, protocol: 'UDP' }],
};

/** What agent.mjs makes of what its `upload` sends. */
function checksum(bytes: number): number {
  let sum = 0;
  for (let i = 0; i < bytes; i += 997) sum = (sum + ((i * 31) % 256)) % 65_521;
  return sum;
}

describe.skipIf(!canRun)('Services on a host that drops by default', () => {
  let lab: Lab;
  const request = (place: string, host = web, port = 80): Promise<string> => lab.in(place, 'request', { host, port }) as Promise<string>;
  const requests = async (n: number, place: string, host = web, port = 80): Promise<readonly string[]> => {
    const answers: string[] = [];
    for (let i = 0; i < n; i++) answers.push(await request(place, host, port));
    return answers;
  };
  const podsIn = (answers: readonly string[]): ReadonlySet<string | undefined> => new Set(answers.map((a) => a.split(' ')[0]));
  const settle = (place: string, what: string, accept: (answer: string) => boolean, host = web, port = 80): Promise<unknown> =>
    eventually(what, async () => accept(await request(place, host, port)));

  beforeAll(async () => {
    lab = await startLab();
    await lab.addPod('p1', '10.198.1.1');
    await lab.addPod('p2', '10.198.1.2');
    await lab.addPod('p3', '10.198.1.3');
    lab.putService('web', {
      type: 'NodePort',
      clusterIP: web,
      ports: [
        { name: 'http', port: 80, nodePort: 30_080 },
        { name: 'bulk', port: 81 },
        { name: 'udp', port: 80, protocol: 'UDP', nodePort: 30_080 },
      ],
    });
    lab.putEndpoints('web', ['10.198.1.1', '10.198.1.2'], [...ports.tcp, ...ports.udp]);
    await lab.startProxy();
    await settle('p3', 'web answers', (a) => a.startsWith('p'));
    await settle('host', 'the node port answers', (a) => a.startsWith('p'), '127.0.0.1', 30_080);
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  it("spread over all endpoints, which see the client pod's own address", async () => {
    const answers = await requests(40, 'p3');
    expect(podsIn(answers)).toEqual(new Set(['p1', 'p2']));
    expect(new Set(answers.map((a) => a.split(' ')[1]))).toEqual(new Set(['::ffff:10.198.1.3']));
  });
  it("answer the host, which is seen under the node's address", async () => {
    const answers = await requests(20, 'host');
    expect(podsIn(answers)).toEqual(new Set(['p1', 'p2']));
    expect(new Set(answers.map((a) => a.split(' ')[1]))).toEqual(new Set([`::ffff:${lab.nodeAddress}`]));
  });
  it('lead a pod to itself', async () => {
    const answers = await requests(30, 'p1');
    expect(podsIn(answers)).toEqual(new Set(['p1', 'p2']));
    for (const a of answers) expect(a.split(' ')[1]).toBe(a.startsWith('p1') ? `::ffff:${lab.nodeAddress}` : '::ffff:10.198.1.1');
  });
  it('answer at node ports on every address of the host, and the client pod is seen there too', async () => {
    expect(podsIn(await requests(20, 'host', '127.0.0.1', 30_080))).toEqual(new Set(['p1', 'p2']));
    expect(podsIn(await requests(20, 'host', lab.nodeAddress, 30_080))).toEqual(new Set(['p1', 'p2']));
    expect((await request('p3', lab.nodeAddress, 30_080)).split(' ')[1]).toBe('::ffff:10.198.1.3');
  });
  it('carry bulk data both ways through half-closed connections, to a slow reader too', async () => {
    const bytes = 20_000_003;
    const up = await lab.in('p3', 'upload', { host: web, port: 80, bytes });
    expect(up).toMatch(new RegExp(`^p[12] \\S+ ${bytes} ${checksum(bytes)}$`));
    expect(await lab.in('p3', 'download', { host: web, port: 81, bytes })).toBe(bytes);
    expect(await lab.in('p3', 'download', { host: web, port: 81, bytes: 3_000_001, slow: true })).toBe(3_000_001);
  });
  it('carry UDP, with answers from the address that was asked', async () => {
    const ask = (place: string, host: string, port: number): Promise<unknown> => lab.in(place, 'datagram', { host, port, text: 'hi' });
    expect(await ask('p3', web, 80)).toMatch(/^10\.199\.0\.50:80 p[12] 10\.198\.1\.3 hi$/);
    expect(await ask('host', web, 80)).toMatch(new RegExp(`^10\\.199\\.0\\.50:80 p[12] ${lab.nodeAddress} hi$`));
    expect(await ask('host', '127.0.0.1', 30_080)).toMatch(/^127\.0\.0\.1:30080 p[12] /);
    expect(await ask('p3', lab.nodeAddress, 30_080)).toMatch(new RegExp(`^${lab.nodeAddress}:30080 p[12] 10\\.198\\.1\\.3 hi$`));
  });
  it('move UDP clients at once when their endpoint goes', async () => {
    const ask = async (): Promise<string> => String(await lab.in('p3', 'datagram', { key: 'udp', host: web, port: 80, patienceMs: 2_000 }));
    const first = (await ask()).split(' ')[1] ?? '';
    for (let i = 0; i < 5; i++) expect((await ask()).split(' ')[1]).toBe(first);
    const other = first === 'p1' ? '10.198.1.2' : '10.198.1.1';
    lab.putEndpoints('web', [other], [...ports.tcp, ...ports.udp]);
    await eventually('the other one answers', async () => (await ask()).split(' ')[1] !== first);
    lab.putEndpoints('web', ['10.198.1.1', '10.198.1.2'], [...ports.tcp, ...ports.udp]);
  });

  it('refuse where nobody listens, and when no endpoint is left; come back within 200 ms', async () => {
    expect(await request('p3', web, 99)).toBe('ECONNREFUSED');
    expect(await request('p3', '10.199.0.77')).toBe('ECONNREFUSED');
    lab.putEndpoints('web', [], ports.tcp);
    await settle('p3', 'refused', (a) => a === 'ECONNREFUSED');
    await settle('host', 'refused at the node port', (a) => a === 'ECONNREFUSED', '127.0.0.1', 30_080);
    // The best of several: a machine that is busy makes any of them late.
    const times: number[] = [];
    while (times.length < 10 && !times.some((ms) => ms < 200)) {
      lab.putEndpoints('web', [], ports.tcp);
      await settle('p3', 'refused', (a) => a === 'ECONNREFUSED');
      const startedMs = performance.now();
      lab.putEndpoints('web', ['10.198.1.1', '10.198.1.2'], [...ports.tcp, ...ports.udp]);
      await settle('p3', 'back', (a) => a.startsWith('p'));
      times.push(performance.now() - startedMs);
    }
    expect(Math.min(...times)).toBeLessThan(200);
  });
  it('lose no connection to endpoints that refuse or are silent', async () => {
    // 8099: nobody listens; 10.198.1.99: nobody is there.
    lab.putService('mixed', { clusterIP: '10.199.0.51', ports: [{ name: 'http', port: 80 }] });
    lab.putEndpoints('mixed', ['10.198.1.1', '10.198.1.2', '10.198.1.99', '10.198.1.98'], [{ name: 'http', port: 8080 }]);
    await settle('p3', 'it answers', (a) => a.startsWith('p'), '10.199.0.51');
    expect(podsIn(await requests(30, 'p3', '10.199.0.51'))).toEqual(new Set(['p1', 'p2']));
    lab.putEndpoints('mixed', ['10.198.1.1'], [{ name: 'http', port: 8099 }]);
    await settle('p3', 'a reset when all fail', (a) => a === 'ECONNRESET', '10.199.0.51');
  });
  it('keep a client on its endpoint with ClientIP affinity, and let go at once without', async () => {
    const spec = { clusterIP: '10.199.0.52', ports: [{ name: 'http', port: 80 }] };
    lab.putService('sticky', { ...spec, sessionAffinity: 'ClientIP' });
    lab.putEndpoints('sticky', ['10.198.1.1', '10.198.1.2'], [{ name: 'http', port: 8080 }]);
    await settle('p3', 'it answers', (a) => a.startsWith('p'), '10.199.0.52');
    expect(podsIn(await requests(15, 'p3', '10.199.0.52')).size).toBe(1);
    lab.putService('sticky', { ...spec, sessionAffinity: 'None' });
    await eventually('both are used', async () => podsIn(await requests(15, 'p3', '10.199.0.52')).size === 2);
  });
  it('lead external addresses to pods, and those to nobody that an earlier process answered for', async () => {
    const [, gateway = '', link = ''] = /via (\S+) dev (sks-\S+)/.exec(lab.run('ip', 'route')) ?? [];
    lab.run('ip', 'route', 'add', '203.0.113.99/32', 'via', gateway, 'dev', link, 'onlink');
    lab.putService('out', { clusterIP: '10.199.0.53', externalIPs: ['203.0.113.77'], ports: [{ name: 'http', port: 8000 }] });
    lab.putEndpoints('out', ['10.198.1.1'], [{ name: 'http', port: 8080 }]);
    await settle('p3', 'the external address answers', (a) => a.startsWith('p1'), '203.0.113.77', 8000);
    expect(await request('host', '203.0.113.77', 8000)).toContain('p1');
    await eventually('the old route is gone', async () => !lab.run('ip', 'route').includes('203.0.113.99'));
    expect(lab.run('ip', 'route')).toContain('203.0.113.77');
  });
  it('show clients from outside to pods with externalTrafficPolicy Local, and tell load balancers where pods are', async () => {
    await lab.addPod('out', '198.51.100.7');
    expect(await request('out', lab.nodeAddress, 30_080)).toContain(`::ffff:${lab.nodeAddress}`);
    const ports = [{ name: 'http', port: 80, nodePort: 30_090 }];
    lab.putService('local', {
      type: 'LoadBalancer',
      clusterIP: '10.199.0.54',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: 30_091,
      ports,
    });
    lab.putEndpoints('local', ['10.198.1.1', '10.198.1.2'], [{ name: 'http', port: 8080 }]);
    await settle('out', 'the client is seen', (a) => a.includes('::ffff:198.51.100.7'), lab.nodeAddress, 30_090);
    expect(podsIn(await requests(20, 'out', lab.nodeAddress, 30_090))).toEqual(new Set(['p1', 'p2']));
    await settle('host', 'the node port is open', (a) => a.startsWith('p'), '127.0.0.1', 30_090);
    expect(podsIn(await requests(20, 'host', '127.0.0.1', 30_090))).toEqual(new Set(['p1', 'p2']));
    const check = (): Promise<unknown> => lab.in('out', 'request', { host: lab.nodeAddress, port: 30_091, text: 'GET / HTTP/1.0\r\n\r\n' });
    lab.run('iptables', '-A', 'INPUT', '-p', 'tcp', '--dport', '30091', '-j', 'ACCEPT');
    await eventually('healthy', async () => /^HTTP\/1\.1 200 [^]*"localEndpoints":2/.test(String(await check())));
    lab.putEndpoints('local', [], []);
    await eventually('unhealthy', async () => /^HTTP\/1\.1 503 [^]*"localEndpoints":0/.test(String(await check())));
  });
  it.skipIf(!hasConntrack)('move UDP clients from outside to the next pod with externalTrafficPolicy Local', async () => {
    const target = [{ name: 'udp', port: 8082, protocol: 'UDP' }];
    lab.putService('datagrams', {
      type: 'NodePort',
      clusterIP: '10.199.0.58',
      externalTrafficPolicy: 'Local',
      ports: [{ name: 'udp', port: 80, protocol: 'UDP', nodePort: 30_092 }],
    });
    const ask = (): Promise<string> =>
      lab.in('out', 'datagram', { key: 'kept', host: lab.nodeAddress, port: 30_092, patienceMs: 2_000 }) as Promise<string>;
    lab.putEndpoints('datagrams', ['10.198.1.1'], target);
    await eventually('the first pod answers', async () => (await ask()).includes(' p1 '));
    lab.putEndpoints('datagrams', ['10.198.1.2'], target);
    await eventually('the second pod answers', async () => (await ask()).includes(' p2 '));
  });

  it('have names', async () => {
    const ask = async (name: string): Promise<readonly string[]> => {
      const question = encode({ type: 'query', id: 1, flags: 256, questions: [{ type: 'A', name }] });
      const answer = await lab.in('p3', 'datagram', { host: dnsAddress, port: 53, text: question.toString('hex'), hex: true });
      return (decode(Buffer.from(String(answer), 'hex')).answers ?? []).map((a) => ('data' in a ? String(a.data) : ''));
    };
    expect(await ask('web.ns.svc.cluster.local')).toEqual([web]);
    expect(await ask('absent.ns.svc.cluster.local')).toEqual([]);
  });

  it('let open connections end in their own time when their endpoint is removed', async () => {
    expect(await lab.in('p3', 'hold', { key: 'old', host: web, port: 80 })).toBe('open');
    await lab.in('p3', 'write', { key: 'old', text: 'hello' });
    lab.putEndpoints('web', [], []);
    await settle('p3', 'refused', (a) => a === 'ECONNREFUSED');
    await lab.in('p3', 'write', { key: 'old', text: ' again' });
    expect(await lab.in('p3', 'finish', { key: 'old' })).toMatch(/^p[12] \S+ 11 /);
    lab.putEndpoints('web', ['10.198.1.1', '10.198.1.2'], [...ports.tcp, ...ports.udp]);
    await settle('p3', 'back', (a) => a.startsWith('p'));
  });

  it('drain: the address is chosen no more, and the answer comes when no connection is open', async () => {
    const control = join(lab.rootDir, 'control.sock');
    const drain = (address: string, timeoutMs: number): Promise<string> =>
      new Promise((resolve, reject) => {
        const body = JSON.stringify({ address, timeoutMs });
        const socket = connect(control);
        let got = '';
        socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
        socket.on('end', () => resolve(got.split('\r\n\r\n')[1] ?? ''));
        socket.on('error', reject);
        socket.write(`POST /drain HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      });
    lab.putEndpoints('web', ['10.198.1.1'], [...ports.tcp, ...ports.udp]);
    await eventually('one is left', async () => podsIn(await requests(10, 'p3')).size === 1);
    await lab.in('p3', 'hold', { key: 'drain', host: web, port: 80 });
    await lab.in('p3', 'write', { key: 'drain', text: 'x' });
    lab.putEndpoints('web', ['10.198.1.1', '10.198.1.2'], [...ports.tcp, ...ports.udp]);
    await eventually('two', async () => podsIn(await requests(10, 'p3')).size === 2);
    // Those of the requests before have until then to be gone.
    expect(await drain('10.198.1.1', 1_000)).toContain('"openConnections":1');
    expect(podsIn(await requests(20, 'p3'))).toEqual(new Set(['p2']));
    const waiting = drain('10.198.1.1', 40_000);
    await lab.in('p3', 'finish', { key: 'drain' });
    expect(await waiting).toContain('"openConnections":0');
    // Once the endpoint was gone, its address is nobody's or another pod's.
    // Other Services had it too, in the tests before.
    for (const name of ['mixed', 'sticky', 'out', 'local']) lab.putEndpoints(name, [], []);
    lab.putEndpoints('web', [], [...ports.tcp, ...ports.udp]);
    await settle('p3', 'refused', (a) => a === 'ECONNREFUSED');
    lab.putEndpoints('web', ['10.198.1.1', '10.198.1.2'], [...ports.tcp, ...ports.udp]);
    await eventually('two again', async () => podsIn(await requests(10, 'p3')).size === 2);
  });
});
