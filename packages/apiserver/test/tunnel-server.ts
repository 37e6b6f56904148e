import { connect as connectTcp, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { unauthorized } from '@skiff/apimachinery';
import { FakeClock, silentLogger, systemClock } from '@skiff/component-base';
import type { Dial, TunnelConnection } from '@skiff/tunnel';
import { createTunnelChannel, type StreamEnd, type TunnelChannel } from '@skiff/tunnel/node';
import { createClientCertificateAuthenticator } from '../src/authn/client-certificate.ts';
import type { ObjectAccess } from '../src/contract.ts';
import { createListener } from '../src/server/listener.ts';
import { parseBundle, readTlsFiles } from '../src/server/tls-files.ts';
import { createDrainCoordinator } from '../src/tunnel/drain.ts';
import { createTunnelService } from '../src/tunnel/tunnel-service.ts';
import { createTunnels, type Tunnels } from '../src/tunnel/tunnels.ts';
import { createStubRegistry } from './stub-registry.ts';
import { createTestPki, type Identity, type TestPki } from './test-pki.ts';

export interface TunnelServer extends AsyncDisposable {
  readonly port: number;
  readonly pki: TestPki;
  readonly tunnels: Tunnels;
  readonly objects: ObjectAccess;
  /** Owns the checks of liveness and certificates. */
  readonly clock: FakeClock;
  node(name: string): Promise<Identity>;
}

/** The tunnel service alone, on a real listener with real certificates. */
export async function startTunnelServer(o: { maxConnections?: number } = {}): Promise<TunnelServer> {
  const pki = await createTestPki();
  const clock = new FakeClock(Date.now());
  const objects = createStubRegistry().objects;
  const stopping = new AbortController();
  const tunnels = createTunnels({ clock, log: silentLogger });
  const bundle = parseBundle(pki.ca, 'ca.crt');
  const certificates = createClientCertificateAuthenticator({ bundle: () => bundle, nowMs: () => clock.now() });
  const service = createTunnelService(
    { maxConnections: o.maxConnections ?? 1000 },
    {
      tunnels,
      drains: createDrainCoordinator({ objects, tunnels, clock: systemClock, log: silentLogger }),
      authenticate: async (x) => {
        const user = await certificates.authenticate(x);
        if (user === undefined) throw unauthorized();
        return user;
      },
      stopping: stopping.signal,
      clock: systemClock,
      log: silentLogger,
    },
  );
  const tls = {
    certFile: pki.file('server.crt'),
    keyFile: pki.file('server.key'),
    clientCaFile: pki.file('ca.crt'),
    requestHeaderCaFile: undefined,
  };
  const listener = createListener(
    { address: '127.0.0.1', port: 0, goawayChance: 0, drainMs: 1000 },
    {
      material: await readTlsFiles(tls),
      serve: async (x) => {
        if (service.handles(x)) return await service.serve(x);
        x.response.statusCode = 404;
        x.response.end();
      },
      log: silentLogger,
    },
  );
  const port = await listener.listen();
  const running = tunnels.run(stopping.signal);
  return {
    port,
    pki,
    tunnels,
    objects,
    clock,
    node: (name) => pki.client(`system:node:${name}`, ['system:nodes']),
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
      await listener.close();
      await pki[Symbol.asyncDispose]();
    },
  };
}

export interface TestNode {
  readonly channel: TunnelChannel;
  /** The server's id; rejects when the stream ends before. */
  readonly welcome: Promise<string>;
  readonly ended: Promise<StreamEnd>;
  stop(): void;
}

/** A node that connects wherever the target's port says, and answers drains by `drained`. */
export function startTestNode(o: {
  port: number;
  pki: TestPki;
  identity?: Identity;
  pingMs?: number;
  onDial?: (dial: Dial, channel: TunnelChannel) => void;
  drained?: (address: string) => Promise<number>;
}): TestNode {
  const channel = createTunnelChannel({
    server: `127.0.0.1:${o.port}`,
    ca: o.pki.ca,
    ...o.identity,
    ...(o.pingMs === undefined ? {} : { pingMs: o.pingMs }),
  });
  let welcomed: (id: string) => void = () => undefined;
  let refused: (error: Error) => void = () => undefined;
  const welcome = new Promise<string>((resolve, reject) => {
    welcomed = resolve;
    refused = reject;
  });
  welcome.catch(() => undefined);
  let resolveEnded: (end: StreamEnd) => void = () => undefined;
  const ended = new Promise<StreamEnd>((resolve) => {
    resolveEnded = resolve;
  });
  const control = channel.open({
    message: (m) => {
      if (m.welcome) {
        control.send({ register: {} });
        welcomed(m.welcome.serverId);
      }
      if (m.dial) (o.onDial ?? connectTo)(m.dial, channel, (message) => control.send(message));
      if (m.drainAddresses) {
        const { id, addresses } = m.drainAddresses;
        void (async () => {
          const open = (await Promise.all(addresses.map(async (a) => (await o.drained?.(a)) ?? 0))).reduce((sum, n) => sum + n, 0);
          control.send({ addressesDrained: { id, openConnections: open, finished: true, error: '' } });
        })();
      }
    },
    ended: (end) => {
      refused(new Error(end.message));
      resolveEnded(end);
    },
  });
  return { channel, welcome, ended, stop: () => control.cancel() };
}

type Send = (message: { dialFailed: { id: string; reason: 'UNREACHABLE'; message: string } }) => void;

function connectTo(dial: Dial, channel: TunnelChannel, send?: Send): void {
  const socket = connectTcp({ host: '127.0.0.1', port: dial.target?.pod?.port ?? 0, allowHalfOpen: true, noDelay: true });
  const refuse = (error: Error): void => send?.({ dialFailed: { id: dial.id, reason: 'UNREACHABLE', message: error.message } });
  socket.once('error', refuse);
  socket.once('connect', () => {
    socket.off('error', refuse);
    const connection: TunnelConnection = channel.connect(dial.id);
    socket.on('error', (error) => connection.destroy(error));
    connection.on('error', () => socket.resetAndDestroy());
    connection.once('close', () => {
      if (!socket.writableFinished || !socket.readableEnded) socket.destroy();
    });
    socket.pipe(connection).pipe(socket);
  });
}

/** Resolves once the server counts the node's tunnel. */
export async function joined(server: TunnelServer, name: string): Promise<void> {
  const deadlineMs = Date.now() + 20_000;
  while (!server.tunnels.has(name)) {
    if (Date.now() > deadlineMs) throw new Error(`${name} has not joined`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A TCP server with what it does to each connection. */
export async function startTcp(onConnection: (socket: Socket) => void): Promise<{ port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server: Server = createTcpServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const s of sockets) s.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const podTarget = (port: number): { pod: { host: string; port: number } } => ({ pod: { host: '10.244.0.5', port } });

/** Sends something and resolves with as many bytes of the answer; the time in milliseconds beside it. */
export async function roundTrip(stream: Duplex, text: string): Promise<number> {
  const startedMs = performance.now();
  await new Promise<void>((resolve, reject) => {
    let missing = text.length;
    const onData = (chunk: Buffer): void => {
      missing -= chunk.length;
      if (missing > 0) return;
      stream.off('data', onData);
      stream.off('error', reject);
      resolve();
    };
    stream.on('data', onData);
    stream.once('error', reject);
    stream.write(text);
  });
  return performance.now() - startedMs;
}
