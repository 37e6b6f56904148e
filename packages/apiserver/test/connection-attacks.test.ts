import { connect as connectTls, type TLSSocket } from 'node:tls';
import { connect as connectHttp2, constants } from 'node:http2';
import { setTimeout as pass } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry } from '../src/registry/registry.ts';
import { h2Request, startTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(createRegistry);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const openSocket = (alpn: string, to = server): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const { key, cert } = to.admin;
    const socket = connectTls({ host: '127.0.0.1', port: to.port, ca: to.pki.ca, key, cert, ALPNProtocols: [alpn] }, () => resolve(socket));
    socket.once('error', reject);
    socket.on('error', () => undefined);
  });
const closed = (socket: TLSSocket): Promise<void> =>
  new Promise((resolve) => (socket.destroyed ? resolve() : socket.once('close', () => resolve())));

/** Writes `text` and resolves with all that comes back until the server closes. */
async function rawHttp1(text: string | Buffer, to = server): Promise<string> {
  const socket = await openSocket('http/1.1', to);
  const pieces: Buffer[] = [];
  socket.on('data', (p: Buffer) => pieces.push(p));
  socket.write(text);
  await closed(socket);
  return Buffer.concat(pieces).toString();
}

/** Milliseconds of CPU, which other processes on the machine do not stretch as they do the clock. */
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** How long others wait meanwhile, at worst: while this process, which is server and attacker, works. */
async function othersWait<T>(work: () => Promise<T>): Promise<{ result: T; longestMs: number }> {
  let over = false;
  let longestMs = 0;
  const others = (async () => {
    const session = server.session();
    while (!over) {
      const started = cpuMs();
      expect((await h2Request(session, { ':path': '/livez' })).code).toBe(200);
      longestMs = Math.max(longestMs, cpuMs() - started);
      await pass(2);
    }
    session.destroy();
  })();
  const result = await work();
  over = true;
  await others;
  return { result, longestMs };
}
/** Unbounded, each of these would take seconds. */
const patienceMs = 1000;

describe('HTTP/1.1', () => {
  it.each([
    ['headers of a megabyte and more', `GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(2 * 1024 * 1024)}\r\n\r\n`, /^HTTP\/1.1 431 /],
    ['no HTTP at all', 'HELO there\r\n\r\n', /^HTTP\/1.1 400 /],
    [
      'two lengths',
      'POST /api/v1/namespaces HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}{}{}',
      /^HTTP\/1.1 400 /,
    ],
    [
      'a length and chunks',
      'POST /api/v1/namespaces HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /version HTTP/1.1\r\nHost: a\r\n\r\n',
      /^HTTP\/1.1 400 (?!.*HTTP\/1.1 200)/s,
    ],
    [
      'an obscure transfer encoding',
      'POST /api/v1/namespaces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1.1 (?:400|501) /,
    ],
    [
      'a chunk that is too long for any number',
      'POST /api/v1/namespaces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n',
      /^HTTP\/1.1 400 /,
    ],
    ['a line break in a header', 'GET /livez HTTP/1.1\r\nHost: a\r\nX: a\rGET /version\r\n\r\n', /^HTTP\/1.1 400 /],
  ])('refuses %s', async (_, text, answer) => {
    expect(await rawHttp1(text)).toMatch(answer);
  });

  it('answers a body that never comes when its time is over, and lets go of the connection', async () => {
    const slow = 'POST /api/v1/namespaces HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"metadata"';
    await using impatient = await startTestServer(createRegistry, { requestTimeoutMs: 1000 });
    const answer = await rawHttp1(slow, impatient);
    expect(answer).toMatch(/^HTTP\/1.1 504 /);
    expect(answer).toContain('"reason":"Timeout"');
  });

  it('goes on serving while hundreds of connections say nothing', async () => {
    const idle = await Promise.all(Array.from({ length: 300 }, () => openSocket('http/1.1')));
    for (const socket of idle) socket.write('GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: ');
    const { longestMs } = await othersWait(() => pass(200));
    for (const socket of idle) socket.destroy();
    expect(longestMs).toBeLessThan(patienceMs);
  });
});

const frame = (type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};
const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]);
const [settings, ping, continuation, headers, windowUpdate] = [4, 6, 9, 1, 8];

/** Sends frames until the server has had enough, or `times` of them are out. True: it closed the connection. */
async function flood(make: (i: number) => Buffer, times: number, patientlyMs: number): Promise<boolean> {
  const socket = await openSocket('h2');
  socket.resume();
  socket.write(preface);
  const gone = closed(socket);
  for (let i = 0; i < times && !socket.destroyed; i++) {
    if (!socket.write(make(i))) await Promise.race([gone, new Promise((resolve) => socket.once('drain', resolve))]);
  }
  const ended = await Promise.race([gone.then(() => true), pass(patientlyMs, undefined, { ref: false }).then(() => false)]);
  socket.destroy();
  return ended;
}

describe('HTTP/2', () => {
  it.each([
    [
      'CONTINUATION without end',
      (i: number) => (i === 0 ? frame(headers, 0, 1, Buffer.alloc(100)) : frame(continuation, 0, 1, Buffer.alloc(16_000))),
      2000,
    ],
    ['SETTINGS', () => frame(settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100])), 200_000],
    ['PING', () => frame(ping, 0, 0, Buffer.alloc(8)), 200_000],
    ['a window beyond its bounds', () => frame(windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])), 10],
  ])('bounds a flood of %s', async (name, make, times) => {
    const mayGoOn = name === 'SETTINGS' || name === 'PING';
    const { result, longestMs } = await othersWait(() => flood(make, times, mayGoOn ? 1500 : 30_000));
    if (!mayGoOn) expect(result).toBe(true);
    expect(longestMs).toBeLessThan(patienceMs);
  });

  it('ends a session that resets what it asks for as fast as it can', async () => {
    const work = async (): Promise<number> => {
      const { key, cert } = server.admin;
      const session = connectHttp2(`https://127.0.0.1:${server.port}`, { ca: server.pki.ca, key, cert });
      session.on('error', () => undefined);
      let sent = 0;
      const gone = new Promise<void>((resolve) => session.once('close', () => resolve()));
      // What is reset before is not sent at all.
      await new Promise((resolve) => session.once('connect', resolve));
      while (!session.closed && !session.destroyed && sent < 20_000) {
        for (let i = 0; i < 100 && !session.closed && !session.destroyed; i++, sent++) {
          const stream = session.request({ ':path': '/api/v1/pods' });
          stream.on('error', () => undefined);
          stream.close(constants.NGHTTP2_CANCEL);
        }
        await pass(0);
      }
      session.destroy();
      await gone;
      return sent;
    };
    const { result, longestMs } = await othersWait(work);
    expect(result).toBeLessThan(20_000);
    expect(longestMs).toBeLessThan(patienceMs);
  });

  it('takes a thousand watches, of which some are never read, and tells the others what happens', async () => {
    const sessions = Array.from({ length: 5 }, () => server.session());
    let events = 0;
    const streams = sessions.flatMap((session) =>
      Array.from({ length: 200 }, (_, i) => {
        const stream = session.request({ ':path': '/api/v1/namespaces/default/configmaps?watch=1' });
        stream.on('error', () => undefined);
        // A tenth is not read.
        if (i % 10 !== 0) stream.on('data', (data: Buffer) => (events += data.toString().split('"type":"ADDED"').length - 1));
        return new Promise<void>((resolve) => stream.once('response', () => resolve()));
      }),
    );
    const work = async (): Promise<void> => {
      await Promise.all(streams);
      const writer = server.session();
      for (let i = 0; i < 20; i++) {
        const body = JSON.stringify({ metadata: { name: `w${i}` }, data: { text: 'x'.repeat(10_000) } });
        const made = await h2Request(
          writer,
          { ':method': 'POST', ':path': '/api/v1/namespaces/default/configmaps', 'content-type': 'application/json' },
          body,
        );
        expect(made.code).toBe(201);
      }
      writer.destroy();
      for (const endMs = performance.now() + 60_000; events < 900 * 20 && performance.now() < endMs; ) await pass(20);
    };
    const { longestMs } = await othersWait(work);
    for (const session of sessions) session.destroy();
    expect(events).toBeGreaterThanOrEqual(900 * 20);
    expect(longestMs).toBeLessThan(2 * patienceMs);
  });
});
