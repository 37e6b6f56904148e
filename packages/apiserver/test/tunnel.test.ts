import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DialError, type TunnelConnection } from '@skiff/tunnel';
import { grpcStatus } from '@skiff/tunnel/node';
import {
  joined,
  podTarget,
  roundTrip,
  startTcp,
  startTestNode,
  startTunnelServer,
  type TestNode,
  type TunnelServer,
} from './tunnel-server.ts';

let server: TunnelServer;
let node: TestNode;
let echo: Awaited<ReturnType<typeof startTcp>>;
const dialled = new Set<TunnelConnection>();
async function dial(port: number, timeoutMs = 20_000, name = 'n1'): Promise<TunnelConnection> {
  const connection = await server.tunnels.dial(name, podTarget(port), timeoutMs);
  dialled.add(connection);
  return connection;
}
/** What comes until the end; the stream is left half open, which an iterator would not do. */
const text = (stream: Duplex): Promise<string> =>
  new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    stream.on('data', (p: Buffer) => pieces.push(p));
    stream.once('end', () => resolve(Buffer.concat(pieces).toString('latin1')));
    stream.once('error', reject);
  });
const closed = (stream: Duplex): Promise<void> =>
  new Promise((resolve) => {
    if (stream.closed) resolve();
    else stream.once('close', () => resolve());
  });

/**
 * Lets time pass on the server. The wire knows nothing of its clock: what is asked of peers meanwhile is answered before what is sent
 * through their tunnels afterwards comes back.
 */
async function passTime(ms: number, ...alive: readonly TunnelConnection[]): Promise<void> {
  for (let left = ms; left > 0; left -= 2_000) {
    await server.clock.advance(Math.min(left, 2_000));
    await Promise.all(alive.map((c) => roundTrip(c, 'x')));
  }
}

beforeAll(async () => {
  server = await startTunnelServer({ maxConnections: 20 });
  echo = await startTcp((socket) => socket.pipe(socket));
  node = startTestNode({ ...server, identity: await server.node('n1') });
  await node.welcome;
  await joined(server, 'n1');
});
afterEach(async () => {
  for (const connection of dialled) connection.destroy();
  dialled.clear();
  await expect.poll(() => server.tunnels.get('n1')?.connections).toBe(0);
});
afterAll(async () => {
  node.stop();
  await echo[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

describe('a connection through the tunnel', () => {
  it('carries bytes both ways', async () => {
    const connection = await dial(echo.port);
    await roundTrip(connection, 'x'.repeat(100_000));
    connection.end();
    await closed(connection);
  });

  it('is half closed by one side and goes on to the other', async () => {
    await using whole = await startTcp((socket) => void text(socket).then((t) => socket.end(`got ${t.length}`)));
    const connection = await dial(whole.port);
    connection.end('x'.repeat(300_000));
    expect(await text(connection)).toBe('got 300000');
    await using early = await startTcp((socket) => {
      socket.end('bye');
      void text(socket).then((t) => late(t));
    });
    let late: (t: string) => void = () => undefined;
    const heard = new Promise<string>((resolve) => {
      late = resolve;
    });
    const other = await dial(early.port);
    expect(await text(other)).toBe('bye');
    other.end('still here');
    expect(await heard).toBe('still here');
  });

  it('a reset of the target is a reset here', async () => {
    await using rude = await startTcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const connection = await dial(rude.port);
    connection.write('x');
    const [error] = (await once(connection, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
  });

  it('giving up here is a reset for the target', async () => {
    let target: Socket | undefined;
    await using quiet = await startTcp((socket) => {
      target = socket;
      socket.resume();
    });
    const connection = await dial(quiet.port);
    await roundTrip(await dial(echo.port), 'x');
    const reset = new Promise((resolve) => (target as Socket).once('error', resolve));
    connection.destroy();
    expect(await reset).toMatchObject({ code: 'ECONNRESET' });
  });

  it('that nobody takes is refused in the words of the node, at once', async () => {
    await using gone = await startTcp(() => undefined);
    const { port } = gone;
    await gone[Symbol.asyncDispose]();
    await expect(dial(port)).rejects.toMatchObject({ reason: 'UNREACHABLE', message: `connect ECONNREFUSED 127.0.0.1:${port}` });
  });

  it('to a node without a tunnel is refused at once', async () => {
    await expect(dial(1, 20_000, 'n9')).rejects.toMatchObject({ reason: 'UNAVAILABLE', message: 'node "n9" has no tunnel to this server' });
  });

  it('that is not made in time is given up, and comes too late', async () => {
    const late: (() => void)[] = [];
    const slow = startTestNode({
      ...server,
      identity: await server.node('slow'),
      onDial: (d, channel) => {
        late.push(() => channel.connect(d.id).on('error', () => undefined));
      },
    });
    await joined(server, 'slow');
    await expect(dial(1, 50, 'slow')).rejects.toMatchObject({ reason: 'UNAVAILABLE', message: 'node "slow" did not connect within 50 ms' });
    await expect.poll(() => late.length).toBe(1);
    for (const connectNow of late) connectNow();
    expect(server.tunnels.get('slow')?.connections).toBe(0);
    slow.stop();
  });

  it('are limited in number', async () => {
    const open = await Promise.all(Array.from({ length: 20 }, () => dial(echo.port)));
    await expect(dial(echo.port)).rejects.toBeInstanceOf(DialError);
    for (const c of open) c.destroy();
    await Promise.all(open.map(closed));
    await expect.poll(() => server.tunnels.get('n1')?.connections).toBe(0);
    (await dial(echo.port)).destroy();
  });
});

describe('many connections in one tunnel', () => {
  it('one that nobody reads is held back and holds no other back', async () => {
    let sent = 0;
    await using source = await startTcp((socket) => {
      const chunk = Buffer.alloc(65_536);
      const pump = (): void => {
        while (socket.writable && sent < 64 * 1024 * 1024) {
          sent += chunk.length;
          if (!socket.write(chunk)) return void socket.once('drain', pump);
        }
      };
      pump();
    });
    const paused = await dial(source.port);
    const sibling = await dial(echo.port);
    await expect.poll(() => sent).toBeGreaterThan(100_000);
    for (let i = 0; i < 50; i++) await roundTrip(sibling, 'ping');
    // What is on the way: windows of HTTP/2, buffers of sockets and streams.
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    // Read on, and all of it comes.
    let received = 0;
    paused.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    await expect.poll(() => received, { timeout: 60_000 }).toBe(64 * 1024 * 1024);
    paused.destroy();
    sibling.destroy();
  });

  it('a thousand that are given up one after the other leave the tunnel as it is', async () => {
    const before = server.tunnels.get('n1');
    for (let i = 0; i < 300; i++) {
      const connection = await dial(echo.port);
      if (i % 2 === 0) await roundTrip(connection, 'x');
      connection.destroy();
    }
    await using rude = await startTcp((socket) => socket.resetAndDestroy());
    // The node ends these: a thousand streams that it cancelled would be the end of the tunnel.
    for (let i = 0; i < 1200; i++) {
      const connection = await dial(rude.port).catch(() => undefined);
      if (connection !== undefined) await closed(connection);
    }
    expect(server.tunnels.get('n1')).toBe(before);
    await roundTrip(await dial(echo.port), 'still there');
  });

  it('bulk leaves room for others', async () => {
    const total = 128 * 1024 * 1024;
    await using source = await startTcp((socket) => socket.end(Buffer.alloc(total)));
    const bulk = await dial(source.port);
    const sibling = await dial(echo.port);
    const receiving = text(bulk);
    let answers = 0;
    let done = false;
    void receiving.then(() => {
      done = true;
    });
    while (!done) {
      await roundTrip(sibling, 'ping');
      answers += 1;
    }
    expect((await receiving).length).toBe(total);
    expect(answers).toBeGreaterThan(10);
    sibling.destroy();
  });
});

describe('who may open a tunnel', () => {
  const open = async (identity?: Awaited<ReturnType<TunnelServer['node']>>) =>
    (await startTestNode({ ...server, ...(identity === undefined ? {} : { identity }) }).ended).code;

  it('nobody but nodes', async () => {
    const { pki } = server;
    expect(await open(await pki.client('admin', ['system:masters']))).toBe(grpcStatus.PERMISSION_DENIED);
    expect(await open(await pki.client('system:node:n1', ['system:authenticated']))).toBe(grpcStatus.PERMISSION_DENIED);
    expect(await open(await pki.client('system:node:', ['system:nodes']))).toBe(grpcStatus.PERMISSION_DENIED);
    expect(await open()).toBe(grpcStatus.UNAUTHENTICATED);
    expect(server.tunnels.has('n1')).toBe(true);
  });

  it('and no node takes the connection that another was asked for', async () => {
    let id = '';
    const asked = startTestNode({ ...server, identity: await server.node('asked'), onDial: (d) => void (id = d.id) });
    await joined(server, 'asked');
    const waiting = dial(1, 1000, 'asked');
    waiting.catch(() => undefined);
    await expect.poll(() => id).not.toBe('');
    const stolen = node.channel.connect(id);
    const [error] = (await once(stolen, 'error')) as [Error];
    expect(error.message).toBe('nobody waits for this connection');
    await expect(waiting).rejects.toBeInstanceOf(DialError);
    asked.stop();
  });

  it('the newest tunnel of a node is its tunnel; connections in the older one go on', async () => {
    const identity = await server.node('twice');
    const first = startTestNode({ ...server, identity });
    await joined(server, 'twice');
    const old = await dial(echo.port, 20_000, 'twice');
    const second = startTestNode({ ...server, identity });
    expect(await first.ended).toEqual({ code: grpcStatus.ABORTED, message: 'a newer tunnel of this node has come' });
    await roundTrip(old, 'goes on');
    await roundTrip(await dial(echo.port, 20_000, 'twice'), 'new');
    second.stop();
    await second.ended;
    await expect.poll(() => server.tunnels.has('twice')).toBe(false);
  });

  it('a tunnel ends with the certificate', async () => {
    const identity = await server.pki.client('system:node:brief', ['system:nodes'], { validMs: 600_000 });
    const brief = startTestNode({ ...server, identity });
    await joined(server, 'brief');
    const connection = await dial(echo.port, 20_000, 'brief');
    const other = await dial(echo.port);
    await passTime(590_000, connection, other);
    expect(server.tunnels.has('brief')).toBe(true);
    await passTime(20_000, other);
    await closed(connection);
    expect(server.tunnels.has('brief')).toBe(false);
    await brief.ended;
    await expect(startTestNode({ ...server, identity }).welcome).rejects.toThrow('x509: certificate has expired or is not yet valid');
  });
});

describe('a dead peer', () => {
  it('is noticed although its connection stands', async () => {
    // A wire that can be cut without anybody being told.
    const wires: Socket[] = [];
    const wire = createServer((client) => {
      const upstream = connect(server.port, '127.0.0.1');
      wires.push(client, upstream);
      for (const s of [client, upstream]) s.on('error', () => undefined);
      client.pipe(upstream).pipe(client);
    });
    await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve));
    const far = startTestNode({ ...server, port: (wire.address() as AddressInfo).port, identity: await server.node('far'), pingMs: 1000 });
    await joined(server, 'far');
    const connection = await dial(echo.port, 20_000, 'far');
    for (const w of wires) w.unpipe().pause();
    const other = await dial(echo.port);
    await passTime(6_000, other);
    expect(server.tunnels.has('far')).toBe(true);
    await passTime(12_000, other);
    await closed(connection);
    expect(server.tunnels.has('far')).toBe(false);
    // The node notices as well, by its own pings.
    expect((await far.ended).code).toBe(grpcStatus.UNAVAILABLE);
    for (const w of wires) w.destroy();
    wire.close();
  });
});
