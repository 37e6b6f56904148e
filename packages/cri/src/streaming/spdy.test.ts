import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { PassThrough, Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { createDeflate, constants, type Deflate } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { renderExitStatus } from './command-session.ts';
import { spdyDictionary } from './spdy-dictionary.ts';
import { SpdyConnection, type SpdyStream } from './spdy-connection.ts';
import { createSizeParser } from './spdy-session.ts';
import {
  createSpdyParser,
  decodeHeaderBlock,
  encodeControl,
  encodeDataHead,
  encodeHeaderBlock,
  flagFin,
  frameTypes,
  uint32,
} from './spdy-frames.ts';

/** A client of a few lines: enough to open streams and see what comes back. */
function pair(): { server: Duplex; toServer: PassThrough; fromServer: PassThrough } {
  const toServer = new PassThrough();
  const fromServer = new PassThrough();
  return { server: Duplex.from({ readable: toServer, writable: fromServer }), toServer, fromServer };
}
async function synStream(deflate: Deflate, id: number, headers: Record<string, string>, fin = false): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const collect = (b: Buffer): void => void chunks.push(b);
  deflate.on('data', collect);
  deflate.write(encodeHeaderBlock(new Map(Object.entries(headers))));
  await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
  deflate.off('data', collect);
  return encodeControl(frameTypes.synStream, fin ? flagFin : 0, Buffer.concat([uint32(id, 0), Buffer.from([0, 0]), ...chunks]));
}

describe('SPDY', () => {
  it('has the dictionary of the draft', () => {
    expect(spdyDictionary.length).toBe(1423);
    expect(createHash('sha256').update(spdyDictionary).digest('hex')).toBe(
      '51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02',
    );
  });

  it('writes and reads frames and headers', () => {
    const parse = createSpdyParser();
    const bytes = Buffer.concat([encodeControl(frameTypes.ping, 0, uint32(1)), encodeDataHead(3, flagFin, 2), Buffer.from('hi')]);
    const frames = [...bytes].flatMap((b) => parse(Buffer.from([b])));
    expect(frames).toEqual([
      { kind: 'control', type: 6, flags: 0, payload: uint32(1) },
      { kind: 'data', streamId: 3, flags: 1, payload: Buffer.from('hi') },
    ]);
    const headers = new Map([['streamtype', 'stdin']]);
    expect(decodeHeaderBlock(encodeHeaderBlock(headers))).toEqual(headers);
    expect(() => decodeHeaderBlock(encodeHeaderBlock(headers).subarray(0, -1))).toThrow();
  });

  it.each([32 * 1024, 700_000, 1_500_000])('goes on with a stream of frames of %d bytes once somebody reads it', async (size) => {
    let opened: (s: SpdyStream) => void = () => undefined;
    const opening = new Promise<SpdyStream>((resolve) => {
      opened = resolve;
    });
    const server = createServer((socket) => void new SpdyConnection(socket, opened));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write(await synStream(createDeflate({ dictionary: spdyDictionary }), 1, { streamtype: 'stdin' }));
    const total = 12_000_000;
    const sending = (async () => {
      for (let sent = 0; sent < total; sent += size) {
        const length = Math.min(size, total - sent);
        const frame = Buffer.concat([encodeDataHead(1, sent + length >= total ? flagFin : 0, length), Buffer.alloc(length)]);
        if (!client.write(frame)) await once(client, 'drain');
      }
    })();
    const stream = await opening;
    // Nobody reads: the connection is held back before all of it is here.
    await expect.poll(() => stream.readableLength).toBeGreaterThanOrEqual(1024 * 1024);
    let received = 0;
    for await (const chunk of stream) received += (chunk as Buffer).length;
    expect(received).toBe(total);
    await sending;
    client.destroy();
    server.close();
  });

  it('carries streams both ways, with halves that close on their own', async () => {
    const { server, toServer, fromServer } = pair();
    const streams: SpdyStream[] = [];
    let opened: () => void = () => undefined;
    const both = new Promise<void>((resolve) => {
      opened = resolve;
    });
    const connection = new SpdyConnection(server, (s) => {
      streams.push(s);
      if (streams.length === 2) opened();
    });
    const deflate = createDeflate({ dictionary: spdyDictionary });
    toServer.write(await synStream(deflate, 1, { streamtype: 'stdin' }));
    toServer.write(await synStream(deflate, 3, { streamtype: 'stdout' }, true));
    toServer.write(
      Buffer.concat([
        encodeDataHead(1, 0, 5),
        Buffer.from('hello'),
        encodeDataHead(1, flagFin, 0),
        encodeControl(frameTypes.ping, 0, uint32(7)),
      ]),
    );
    await both;
    const [stdin, stdout] = streams as [SpdyStream, SpdyStream];
    expect([stdin.headers.get('streamtype'), stdout.headers.get('streamtype')]).toEqual(['stdin', 'stdout']);
    expect(await text(stdin)).toBe('hello');
    stdout.end('answer');
    await new Promise((resolve) => stdout.once('finish', resolve));
    const closing = connection.close();
    const frames = createSpdyParser()(Buffer.concat(await fromServer.toArray()) as Buffer);
    toServer.end();
    await closing;
    const control = frames.filter((f) => f.kind === 'control').map((f) => f.type);
    expect(control.filter((t) => t === frameTypes.synReply)).toHaveLength(2);
    expect(control).toContain(frameTypes.ping);
    expect(control.at(-1)).toBe(frameTypes.goAway);
    const data = frames.filter((f) => f.kind === 'data' && f.streamId === 3);
    expect(Buffer.concat(data.map((f) => f.payload)).toString()).toBe('answer');
    expect(data.at(-1)?.flags).toBe(flagFin);
    connection.destroy();
  });

  it('is closed at once by a client that was still sending', async () => {
    let opened: (s: SpdyStream) => void = () => undefined;
    const opening = new Promise<SpdyStream>((resolve) => {
      opened = resolve;
    });
    let connected: (c: SpdyConnection) => void = () => undefined;
    const connecting = new Promise<SpdyConnection>((resolve) => {
      connected = resolve;
    });
    const server = createServer({ allowHalfOpen: true }, (socket) => connected(new SpdyConnection(socket, opened)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
    client.resume();
    client.write(await synStream(createDeflate({ dictionary: spdyDictionary }), 1, { streamtype: 'stdin' }));
    const frame = Buffer.concat([encodeDataHead(1, 0, 1_000_000), Buffer.alloc(1_000_000)]);
    for (let i = 0; i < 3; i++) client.write(frame);
    const stream = await opening;
    await expect.poll(() => stream.readableLength).toBeGreaterThanOrEqual(1024 * 1024);
    const closing = (await connecting).close();
    for (let i = 0; i < 10; i++) client.write(frame);
    client.end();
    await closing;
    expect(stream.destroyed).toBe(true);
    server.close();
  });

  it('lets go of everything when the client vanishes', async () => {
    const { server, toServer } = pair();
    const got = new Promise<SpdyStream>((resolve) => {
      const connection = new SpdyConnection(server, resolve);
      void connection.closed;
    });
    toServer.write(await synStream(createDeflate({ dictionary: spdyDictionary }), 1, { streamtype: 'stdin' }));
    const stream = await got;
    const closed = new Promise((resolve) => stream.once('close', resolve));
    toServer.destroy();
    await closed;
    expect(stream.destroyed).toBe(true);
  });

  it('opens streams as a client, and reads to the end what a server cuts off', async () => {
    const [a, b] = duplexPair();
    const server = new SpdyConnection(a, (stream) => {
      if (stream.headers.get('streamtype') !== 'stdin') return void stream.end('status');
      stream.on('data', (chunk: Buffer) => stream.write(`got ${chunk.toString()}`));
      // As Kubernetes' servers end: without closing their streams.
      stream.on('end', () => void server.close());
    });
    const client = new SpdyConnection(b);
    const [error, stdin] = await Promise.all(['error', 'stdin'].map((type) => client.open(new Map([['streamtype', type]]))));
    stdin?.end('input');
    expect(await text(stdin as SpdyStream)).toBe('got input');
    expect(await text(error as SpdyStream)).toBe('status');
    await client.closed;
    await expect(client.open(new Map())).rejects.toThrow('closed');
  });

  it('carries sizes and exit codes', () => {
    const parse = createSizeParser();
    expect([...parse(Buffer.from('{"Width":10,"Hei')), ...parse(Buffer.from('ght":20}\n{"Width":1,"Height":2}'))]).toEqual([
      { width: 10, height: 20 },
      { width: 1, height: 2 },
    ]);
    expect(renderExitStatus(0).status).toBe('Success');
  });
});

/** Two ends of a wire in memory. */
function duplexPair(): [Duplex, Duplex] {
  const there = new PassThrough();
  const back = new PassThrough();
  return [Duplex.from({ readable: there, writable: back }), Duplex.from({ readable: back, writable: there })];
}
