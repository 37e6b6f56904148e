import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { SubjectAccessReview, TokenReview } from '@skiff/api';
import type { Client } from '@skiff/client';
import { freePort, silentLogger, systemClock } from '@skiff/component-base';
import { createNodeStats } from '../stats/node-stats.ts';
import type { KubeletParts } from '../kubelet.ts';
import type { ClaimStats } from '../volumes/claim-stats.ts';
import { RuntimeError } from '@skiff/cri';
import { createFakeNode, fakePod, type FakeNode } from '../pod/pod-context.fixture.ts';
import { accessOf } from './authentication.ts';
import { chooseLogContainer, parseLogQuery } from './container-logs.ts';
import { createConnectionInlet, runServer } from './server.ts';

/** An API that knows two tokens: `good` may do everything, `weak` nothing. */
const reviews = {
  create: async (_resource: unknown, object: TokenReview & SubjectAccessReview) => {
    if ('token' in (object.spec ?? {})) {
      const { token } = object.spec as { token?: string };
      return { spec: {}, status: { authenticated: token === 'good' || token === 'weak', user: { username: token } } };
    }
    return { spec: {}, status: { allowed: object.spec?.user === 'good' } };
  },
} as unknown as Client;

/** Two ends of a wire in memory. */
function streamPair(): [Duplex, Duplex] {
  const ends: Duplex[] = [];
  const end = (other: number): Duplex =>
    new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        ends[other]?.push(chunk);
        done();
      },
      final: (done) => {
        ends[other]?.push(null);
        done();
      },
    });
  const [a, b] = [end(1), end(0)];
  ends.push(a, b);
  return [a, b];
}

/** As /var/log: with links that lead out of it. */
function makeLogs(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'logs-'));
  mkdirSync(path.join(directory, 'a&b'));
  writeFileSync(path.join(directory, 'a&b/x.log'), '0123456789');
  writeFileSync(path.join(directory, 'mine.log'), 'of mine\n');
  symlinkSync('/etc', path.join(directory, 'etc'));
  symlinkSync('/etc/hostname', path.join(directory, 'a&b/host'));
  return directory;
}

describe('kubelet server', () => {
  const logDirectory = makeLogs();
  let node: FakeNode;
  let port = 0;
  const stop = new AbortController();
  const inlet = createConnectionInlet();
  let running: Promise<void>;
  beforeAll(async () => {
    port = await freePort();
    node = createFakeNode({ programs: { talk: (p) => (p.stdout.write('out'), p.stderr.write('err'), p.exit(4)) } });
    const worker = node.start(
      fakePod({ containers: [{ name: 'c', image: 'fake:1', command: ['print', 'one', 'two'] }] }, { name: 'done', uid: 'd' }),
    );
    const alive = node.start(fakePod({ containers: [{ name: 'c', image: 'fake:1', command: ['pause'] }] }, { name: 'alive', uid: 'a' }));
    await node.settle();
    const list = [worker, alive];
    const pods = {
      workers: () => list,
      pods: () => list.map((w) => w.pod),
      find: (_ns: string, name: string) => list.find((w) => w.pod.metadata.name === name),
    };
    const stats = createNodeStats(
      { rootDirectory: node.context.rootDirectory, cgroupVersion: 1 },
      { runtime: node.fake, hostMount: node.context.hostMount, run: async () => '', clock: systemClock, running: () => list },
    );
    const claimOfData: ClaimStats = {
      podUid: 'a',
      namespace: 'n',
      claimName: 'data',
      atMs: 0,
      availableBytes: 70,
      capacityBytes: 100,
      usedBytes: 30,
      inodes: 10,
      inodesFree: 9,
      inodesUsed: 1,
    };
    const parts = { pods, context: node.context, stats, claimStats: async () => [claimOfData] } as unknown as KubeletParts;
    running = runServer(
      {
        address: '127.0.0.1',
        port,
        healthzPort: 0,
        nodeName: 'node',
        nodeAddresses: ['127.0.0.1'],
        clientCaFile: undefined,
        certFile: undefined,
        keyFile: undefined,
        configuration: {},
        node: { logs: { directory: logDirectory, files: true, query: true }, flags: { port: 1 }, startedAtMs: 0 },
      },
      { parts: Promise.resolve(parts), client: reviews, inlet, clock: systemClock, log: silentLogger },
      stop.signal,
    );
    await waitFor(port);
  });
  afterAll(async () => {
    stop.abort(new Error('done'));
    await running;
    await node[Symbol.asyncDispose]();
    rmSync(logDirectory, { recursive: true });
  });

  const get = (path: string, token?: string): Promise<{ code: number; body: string }> =>
    new Promise((resolve, reject) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      https
        .get({ host: '127.0.0.1', port, path, headers, rejectUnauthorized: false, agent: false }, (response) => {
          let body = '';
          response.on('data', (b: Buffer) => (body += b.toString()));
          response.on('end', () => resolve({ code: response.statusCode ?? 0, body }));
        })
        .on('error', reject);
    });
  const open = (path: string, protocol: string): WebSocket =>
    new WebSocket(`wss://127.0.0.1:${port}${path}`, protocol, { rejectUnauthorized: false, headers: { authorization: 'Bearer good' } });
  const collect = (ws: WebSocket): Promise<Map<number, string>> =>
    new Promise((resolve, reject) => {
      const channels = new Map<number, string>();
      ws.on('message', (data: Buffer) => channels.set(data[0] ?? 255, (channels.get(data[0] ?? 255) ?? '') + data.subarray(1).toString()));
      ws.on('close', () => resolve(channels));
      ws.on('error', reject);
    });

  it('answers nobody it does not know, and forbids what the API forbids', async () => {
    expect((await get('/pods')).code).toBe(401);
    expect((await get('/pods', 'weak')).code).toBe(403);
    expect((await get('/healthz', 'good')).body).toBe('ok');
    expect(JSON.parse((await get('/pods', 'good')).body)).toMatchObject({
      kind: 'PodList',
      items: [{ metadata: { name: 'done' } }, { metadata: { name: 'alive' } }],
    });
    expect((await get('/none', 'good')).code).toBe(404);
    expect((await get('/containerLogs/n/%E0%A4%A/c', 'good')).code).toBe(400);
    expect((await get('/exec/n/alive/c?command=x&output=1', 'good')).code).toBe(400);
  });

  it('shows the logs of the node, and nothing that a link leads to', async () => {
    expect((await get('/logs/', 'weak')).code).toBe(403);
    expect((await get('/logs/', 'good')).body).toContain('<a href="a%26b/">a&amp;b/</a>\n<a href="etc">etc</a>\n');
    expect((await get('/logs/a%26b', 'good')).code).toBe(301);
    expect((await get('/logs/a&b/x.log', 'good')).body).toBe('0123456789');
    for (const path of ['etc/passwd', 'a&b/host', '..%2f..%2fetc/passwd', 'none', 'a&b/x.log/']) {
      expect((await get(`/logs/${path}`, 'good')).code, path).toBe(404);
    }
    expect((await get('/logs/?query=/mine.log', 'good')).body).toBe('of mine\n');
    expect((await get('/logs/?query=mine', 'good')).body).toBe('of mine\n');
    expect((await get('/logs/?query=mine&tailLines=1', 'good')).body).toContain('options present');
    expect((await get('/logs/?query=', 'good')).code).toBe(400);
    expect((await get('/logs/?query=--root%3D/etc', 'good')).code).toBe(404);
    expect((await get('/logs/?query=-x', 'good')).code).toBe(406);
  });

  it('takes names for names, not for ways to somewhere else', async () => {
    const asked = {
      '/containerLogs/n/done/..%2f..%2f..%2fetc%2fpasswd': 400,
      '/containerLogs/n/..%2fdone/c': 404,
      '/containerLogs/../../etc/passwd': 404,
      '/containerLogs/n/done/%zz': 400,
      '/logs/%E0%A4%A': 400,
      '/run/n/alive/..%2fc': 405,
    };
    for (const [path, code] of Object.entries(asked)) expect((await get(path, 'good')).code, path).toBe(code);
  });

  it('says so when the runtime does not answer for a log', async () => {
    const { runtime } = node.context;
    const { containerLogs } = runtime;
    Object.assign(runtime, {
      containerLogs: () => {
        throw new RuntimeError('unavailable', 'the engine did not answer within 120 s');
      },
    });
    try {
      const answer = { code: 500, body: 'the engine did not answer within 120 s' };
      expect(await get('/containerLogs/n/done/c?previous=true', 'good')).toEqual(answer);
    } finally {
      Object.assign(runtime, { containerLogs });
    }
  });

  it('tells of itself, and refuses what it does not have', async () => {
    expect((await get('/statusz', 'good')).body).toContain('Binary version  1.36.2');
    expect((await get('/flagz', 'good')).body).toContain('\nport 1\n');
    expect(await get('/debug/pprof/heap', 'good')).toEqual({ code: 405, body: 'profiling endpoint is disabled.' });
    expect(await get('/debug/flags/v', 'good')).toEqual({ code: 405, body: 'flags endpoint is disabled.' });
  });

  it('serves connections that did not come to its port alike', async () => {
    const [near, far] = streamPair();
    inlet.offer(far);
    const socket = tls.connect({ socket: near, rejectUnauthorized: false });
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      socket.on('data', (b: Buffer) => (text += b.toString()));
      socket.once('end', () => resolve(text));
      socket.once('error', reject);
      socket.write(
        'GET /containerLogs/n/done/c?previous=true HTTP/1.1\r\nHost: k\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n',
      );
    });
    expect(answer).toMatch(/^HTTP\/1.1 200 OK[^]*one\n[^]*two\n/);
    const [lost, nowhere] = streamPair();
    lost.on('error', () => undefined);
    nowhere.on('error', () => undefined);
    createConnectionInlet().offer(nowhere);
    expect(nowhere.destroyed).toBe(true);
  });

  it('gives logs, metrics and statistics', async () => {
    expect(await get('/containerLogs/n/done/c?previous=true', 'good')).toEqual({ code: 200, body: 'one\ntwo\n' });
    expect((await get('/containerLogs/n/done/c?previous=true&limitBytes=5', 'good')).body).toBe('one\nt');
    expect((await get('/containerLogs/n/done/none', 'good')).code).toBe(400);
    expect((await get('/containerLogs/n/none/c', 'good')).code).toBe(404);
    expect((await get('/metrics', 'good')).body).toContain('kubelet_node_name{node="node"} 1');
    expect((await get('/metrics', 'good')).body).toContain(
      'kubelet_volume_stats_used_bytes{namespace="n",persistentvolumeclaim="data"} 30',
    );
    expect((await get('/metrics/cadvisor', 'good')).body).toContain('machine_cpu_cores');
    expect((await get('/metrics/probes', 'good')).code).toBe(200);
    expect((await get('/metrics/resource', 'good')).body).toContain(
      'container_cpu_usage_seconds_total{container="c",namespace="n",pod="alive"}',
    );
    expect(JSON.parse((await get('/stats/summary', 'good')).body)).toMatchObject({ node: { nodeName: 'node' } });
  });

  it.each(['v4.channel.k8s.io', 'v5.channel.k8s.io'])('runs commands over %s', async (protocol) => {
    const channels = await collect(open('/exec/n/alive/c?command=talk&output=1&error=1', protocol));
    expect([channels.get(1), channels.get(2)]).toEqual(['out', 'err']);
    expect(JSON.parse(channels.get(3) ?? '')).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '4' }] },
    });
  });

  it('runs commands that are as long as addresses may be', async () => {
    const long = 'a'.repeat(200_000);
    const channels = await collect(open(`/exec/n/alive/c?command=talk&command=${long}&output=1`, 'v5.channel.k8s.io'));
    expect(channels.get(1)).toBe('out');
  });

  it('ends input by v5’s close message', async () => {
    const ws = open('/exec/n/alive/c?command=cat&input=1&output=1', 'v5.channel.k8s.io');
    const channels = collect(ws);
    await new Promise((resolve) => ws.once('open', resolve));
    ws.send(Buffer.from([0, ...Buffer.from('to and fro')]));
    ws.send(Buffer.from([255, 0]));
    const got = await channels;
    expect(got.get(1)).toBe('to and fro');
    expect(JSON.parse(got.get(3) ?? '')).toEqual({ metadata: {}, status: 'Success' });
  });

  it('refuses what it can not speak, and containers that do not run', async () => {
    const failure = (ws: WebSocket): Promise<string> => new Promise((resolve) => ws.on('error', (e) => resolve(e.message)));
    expect(await failure(open('/exec/n/alive/c?command=talk&output=1', 'v9.channel.k8s.io'))).toContain('403');
    expect(await failure(open('/exec/n/alive/none?command=talk&output=1', 'v4.channel.k8s.io'))).toContain('404');
  });

  it.each(['//', '*', 'http://[', '@:x/y'])('survives %s where a URL belongs, from anybody', async (line) => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
      let text = '';
      socket.on('data', (b: Buffer) => (text += b.toString()));
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
      socket.write(`GET ${line} HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 40[01] /);
    expect((await get('/healthz', 'good')).code).toBe(200);
  });

  it('lets go when the client vanishes', async () => {
    const ws = open('/exec/n/alive/c?command=pause&output=1', 'v4.channel.k8s.io');
    await new Promise((resolve) => ws.once('open', resolve));
    const closed = new Promise((resolve) => ws.once('close', resolve));
    ws.terminate();
    await closed;
    expect((await get('/healthz', 'good')).code).toBe(200);
  });
});

describe('requests', () => {
  it('mean something on the Node', () => {
    expect(accessOf('GET', '/stats/summary')).toEqual({ verb: 'get', subresources: ['stats'] });
    expect(accessOf('POST', '/exec/a/b/c')).toEqual({ verb: 'create', subresources: ['proxy'] });
    expect(accessOf('GET', '/pods')).toEqual({ verb: 'get', subresources: ['pods', 'proxy'] });
    expect(accessOf('GET', '/logs/x')).toEqual({ verb: 'get', subresources: ['log'] });
    expect(accessOf('GET', '/flagz')).toEqual({ verb: 'get', subresources: ['configz'] });
    expect(accessOf('GET', '/statusz')).toEqual({ verb: 'get', subresources: ['statusz'] });
    expect(accessOf('GET', '/metricsx')).toEqual({ verb: 'get', subresources: ['proxy'] });
  });

  it('of logs are read and refused in upstream’s words', () => {
    expect(parseLogQuery(new URLSearchParams('follow=true&sinceSeconds=10&tailLines=3'), 100_000)).toMatchObject({
      follow: true,
      sinceMs: 90_000,
      tailLines: 3,
      stream: 'All',
    });
    const choose = (status: object, previous = false): string =>
      chooseLogContainer(
        'p',
        { containerStatuses: [{ name: 'c', ready: false, restartCount: 0, image: '', imageID: '', ...status }] },
        'c',
        previous,
      );
    expect(choose({ state: { running: {} }, containerID: 'docker://x' })).toBe('x');
    expect(
      choose({ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 1, containerID: 'docker://y' } } }),
    ).toBe('y');
    expect(() => choose({ state: { waiting: { reason: 'ContainerCreating' } } })).toThrow(
      'container "c" in pod "p" is waiting to start: ContainerCreating',
    );
    expect(() => choose({ state: { running: {} } }, true)).toThrow('previous terminated container "c" in pod "p" not found');
  });
});

async function waitFor(port: number): Promise<void> {
  for (;;) {
    const up = await new Promise<boolean>((resolve) => {
      const s = net.connect(port, '127.0.0.1');
      s.once('connect', () => (s.destroy(), resolve(true)));
      s.once('error', () => resolve(false));
    });
    if (up) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
