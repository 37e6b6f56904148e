import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeHeaders } from './hpack.ts';
import { Http2Connection, type Http2Failure, type Http2Stream } from './http2-connection.ts';

const headers = encodeHeaders([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'x'],
]);

interface Outcome {
  readonly body: Buffer;
  readonly failure: Http2Failure | undefined;
}

/** A request's whole course; `takes`: what comes is given back to the window at once. */
function request(
  connection: Http2Connection,
  body: Buffer,
  o: { takes?: boolean } = {},
): { stream: Http2Stream; bytes: () => number; done: Promise<Outcome> } {
  const pieces: Buffer[] = [];
  let bytes = 0;
  let resolve: (outcome: Outcome) => void;
  const done = new Promise<Outcome>((r) => {
    resolve = r;
  });
  const stream = connection.request(headers, body, {
    headers: () => undefined,
    data: (piece, s) => {
      pieces.push(piece);
      bytes += piece.length;
      if (o.takes !== false) s.taken(piece.length);
    },
    closed: (failure) => resolve({ body: Buffer.concat(pieces), failure }),
  });
  return { stream, bytes: () => bytes, done };
}

describe('a connection', () => {
  let server: Http2Server;
  let connection: Http2Connection;
  let retired = 0;

  async function start(
    serve: (stream: ServerHttp2Stream) => void,
    settings: { maxConcurrentStreams?: number; initialWindowSize?: number } = {},
  ): Promise<ServerHttp2Session> {
    server = createServer({ settings });
    server.on('stream', (stream) => {
      stream.on('error', () => undefined);
      serve(stream);
    });
    const session = new Promise<ServerHttp2Session>((resolve) => server.once('session', resolve));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    retired = 0;
    connection = new Http2Connection(socket, { retired: () => retired++ });
    return await session;
  }
  afterEach(async () => {
    connection.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  const echo = (stream: ServerHttp2Stream): void => {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  };

  it('carries bodies larger than every window and frame, both ways', async () => {
    await start(echo, { initialWindowSize: 20_000 });
    const body = Buffer.alloc(9 * 1024 * 1024, 'skiff ');
    const { body: answer, failure } = await request(connection, body).done;
    expect(failure).toBeUndefined();
    expect(answer.equals(body)).toBe(true);
  });

  it('carries many requests at once, no more than the server wants', async () => {
    let now = 0;
    let most = 0;
    await start(
      (stream) => {
        most = Math.max(most, ++now);
        stream.once('close', () => now--);
        echo(stream);
      },
      { maxConcurrentStreams: 3 },
    );
    // The limit comes with the server's first frame.
    await request(connection, Buffer.from('first')).done;
    const bodies = Array.from({ length: 50 }, (_, i) => Buffer.from(`body ${i}`));
    const answers = await Promise.all(bodies.map((b) => request(connection, b).done));
    expect(answers.map((a) => a.body.toString())).toEqual(bodies.map(String));
    expect(most).toBeLessThanOrEqual(3);
    expect(connection.active).toBe(0);
  });

  it('makes the server wait when nothing is taken', async () => {
    let wrote = 0;
    let full: () => void = () => undefined;
    const isFull = new Promise<void>((resolve) => {
      full = resolve;
    });
    const piece = Buffer.alloc(64 * 1024);
    const total = 20 * 1024 * 1024;
    await start((stream) => {
      stream.respond({ ':status': 200 });
      const write = (): void => {
        while (wrote < total) {
          wrote += piece.length;
          if (!stream.write(piece)) {
            stream.once('drain', write);
            if (wrote > 8 * 1024 * 1024) full();
            return;
          }
        }
        stream.end();
      };
      write();
    });
    const { stream, bytes, done } = request(connection, Buffer.from('x'), { takes: false });
    await isFull;
    // Whatever the server has room for has been sent: a call on the same connection comes through all the same.
    await new Promise<void>((resolve) => connection.ping(resolve));
    expect(bytes()).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(wrote).toBeLessThan(total);
    stream.cancel();
    expect((await done).failure?.message).toBe('canceled');
  });

  it('tells what the server has not looked at from what it may have done', async () => {
    const session = await start(() => undefined);
    const first = request(connection, Buffer.from('x'));
    await new Promise<void>((resolve) => server.once('stream', () => resolve()));
    session.goaway(0, 1);
    const second = request(connection, Buffer.from('x'));
    session.once('close', () => undefined);
    expect((await second.done).failure?.isNotSent).toBe(true);
    session.destroy();
    expect((await first.done).failure?.isNotSent).toBe(false);
    expect(retired).toBe(1);
    expect((await request(connection, Buffer.from('x')).done).failure?.isNotSent).toBe(true);
  });

  it('is closed when the last request is done', async () => {
    let finish: () => void = () => undefined;
    const session = await start((stream) => {
      finish = () => {
        stream.respond({ ':status': 200 });
        stream.end('done');
      };
    });
    const under = request(connection, Buffer.from('x'));
    await new Promise<void>((resolve) => server.once('stream', () => resolve()));
    const closed = new Promise<void>((resolve) => session.once('close', resolve));
    connection.close();
    finish();
    expect((await under.done).body.toString()).toBe('done');
    await closed;
  });

  it('fails all requests when the server speaks something else', async () => {
    await start(echo);
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const other = new Http2Connection(socket, { retired: () => undefined });
    const under = request(other, Buffer.from('x'));
    socket.emit('data', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect((await under.done).failure?.message).toContain('longer than allowed');
  });
});
