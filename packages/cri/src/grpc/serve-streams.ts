import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { RuntimeService } from '../contract.ts';
import { isRuntimeError, RuntimeError } from '../runtime-error.ts';
import type { AttachRequest, ExecProcess, ExecRequest, ProcessStreams } from '../streams.ts';
import { type Channels, channelProtocols, channels, multiplexChannels } from './channel-protocol.ts';

/** A URL is good for one connection within this time. */
const tokenLifeMs = 60_000;
const maxTokens = 1000;

export type StreamingRequest =
  | { readonly kind: 'exec'; readonly id: string; readonly request: ExecRequest }
  | { readonly kind: 'attach'; readonly id: string; readonly request: AttachRequest }
  | { readonly kind: 'portforward'; readonly id: string; readonly ports: readonly number[] };

export interface StreamingServer {
  urlFor(request: StreamingRequest): string;
  close(): void;
}

const protocolOf = (offered: Set<string>): string | false => channelProtocols.find((p) => offered.has(p)) ?? false;

/** The streaming server that Exec, Attach and PortForward point to: WebSockets with numbered channels, on loopback. */
export async function startStreamingServer(runtime: RuntimeService, now: () => number): Promise<StreamingServer> {
  const tokens = new Map<string, { readonly request: StreamingRequest; readonly expiresAtMs: number }>();
  const sockets = new Set<WebSocket>();
  const server = createServer((_request, response) => {
    response.writeHead(426, { 'content-type': 'text/plain', upgrade: 'websocket' }).end('this server speaks WebSocket only\n');
  });
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, handleProtocols: protocolOf });
  const take = (request: IncomingMessage): StreamingRequest | undefined => {
    const token = request.url?.split('/').at(-1)?.split('?')[0] ?? '';
    const found = tokens.get(token);
    tokens.delete(token);
    return found === undefined || found.expiresAtMs < now() ? undefined : found.request;
  };
  const accept = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') return refuse(socket, 501, 'this server speaks WebSocket only');
    const asked = take(request);
    if (asked === undefined) return refuse(socket, 404, 'this URL was used before or is too old');
    const forwarder = asked.kind === 'portforward' ? await runtime.portForward(asked.id) : undefined;
    try {
      // Dialled before the answer, so that the client learns at once that nobody listens.
      const ports =
        asked.kind === 'portforward' && forwarder !== undefined ? await Promise.all(asked.ports.map((p) => forwarder.connect(p))) : [];
      const numbers = asked.kind === 'portforward' ? asked.ports.flatMap((_, i) => [2 * i, 2 * i + 1]) : [channels.stdin, channels.resize];
      const connection = await new Promise<Channels>((resolve) => {
        webSockets.handleUpgrade(request, socket, head, (ws) => {
          const opened = multiplexChannels(ws, numbers);
          sockets.add(ws);
          void opened.closed.then(() => sockets.delete(ws));
          resolve(opened);
        });
      });
      if (asked.kind === 'portforward') await joinPorts(connection, asked.ports, ports);
      else await joinProcess(connection, runtime, asked);
    } finally {
      forwarder?.close();
    }
  };
  server.on('upgrade', (request, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    accept(request, socket, head).catch((error: unknown) => refuse(socket, 502, error instanceof Error ? error.message : String(error)));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    urlFor: (request) => {
      const at = now();
      for (const [token, t] of tokens) if (t.expiresAtMs < at) tokens.delete(token);
      if (tokens.size >= maxTokens) throw new RuntimeError('conflict', 'too many streaming requests wait for their connection');
      const token = randomBytes(24).toString('base64url');
      tokens.set(token, { request, expiresAtMs: at + tokenLifeMs });
      return `http://127.0.0.1:${port}/${request.kind}/${token}`;
    },
    close: () => {
      server.close();
      for (const ws of sockets) ws.terminate();
      server.closeAllConnections();
    },
  };
}

function refuse(socket: Duplex, code: number, message: string): void {
  if (socket.destroyed || !socket.writable) return void socket.destroy();
  const body = `${message}\n`;
  socket.end(
    `HTTP/1.1 ${code} Refused\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

async function sendAll(connection: Channels, number: number, source: Readable | undefined): Promise<void> {
  if (source === undefined) return;
  for await (const chunk of source) await connection.send(number, chunk as Buffer);
}

/** What an exit looks like on the error channel: a Status, with the code as a cause. */
const renderExit = (code: number): object =>
  code === 0
    ? { metadata: {}, status: 'Success' }
    : {
        metadata: {},
        status: 'Failure',
        message: `command terminated with non-zero exit code: exit status ${code}`,
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
      };
const renderFailure = (error: unknown): object => ({
  metadata: {},
  status: 'Failure',
  message: error instanceof Error ? error.message : String(error),
  reason: isRuntimeError(error, 'not-found') ? 'NotFound' : 'InternalError',
});

async function joinProcess(
  connection: Channels,
  runtime: RuntimeService,
  asked: Extract<StreamingRequest, { kind: 'exec' | 'attach' }>,
): Promise<void> {
  const input = connection.channel(channels.stdin);
  const sizes = connection.channel(channels.resize);
  let streams: ProcessStreams | undefined;
  const report = (status: object): Promise<void> => connection.send(channels.error, Buffer.from(JSON.stringify(status)));
  void connection.closed.then(() => streams?.close());
  try {
    const process: ProcessStreams & Partial<Pick<ExecProcess, 'exitCode'>> =
      asked.kind === 'exec' ? await runtime.exec(asked.id, asked.request) : await runtime.attach(asked.id, asked.request);
    streams = process;
    if (process.stdin === undefined) input.resume();
    else {
      process.stdin.on('error', () => undefined);
      input.pipe(process.stdin);
    }
    sizes.on('data', (chunk: Buffer) => {
      const { Width, Height } = JSON.parse(chunk.toString()) as { Width?: number; Height?: number };
      if (Width !== undefined && Height !== undefined) void process.resize({ width: Width, height: Height });
    });
    await Promise.all([sendAll(connection, channels.stdout, process.stdout), sendAll(connection, channels.stderr, process.stderr)]);
    await report(renderExit((await process.exitCode) ?? 0));
  } catch (error) {
    // A client that left is not told.
    await report(renderFailure(error)).catch(() => undefined);
  } finally {
    connection.close();
    await connection.closed;
  }
}

/** Joins each port's data channel with its socket; both channels begin with the port. */
async function joinPorts(connection: Channels, ports: readonly number[], sockets: readonly Duplex[]): Promise<void> {
  const ends = sockets.map(async (socket, i) => {
    const head = Buffer.alloc(2);
    head.writeUInt16LE(ports[i] ?? 0);
    const data = connection.channel(2 * i);
    await connection.send(2 * i, head);
    await connection.send(2 * i + 1, head);
    socket.on('error', (error) => {
      connection.send(2 * i + 1, Buffer.from(error.message)).catch(() => undefined);
    });
    data.pipe(socket);
    socket.pipe(data);
    await new Promise((resolve) => socket.once('close', resolve));
  });
  void connection.closed.then(() => {
    for (const socket of sockets) socket.destroy();
  });
  try {
    await Promise.all(ends);
  } finally {
    connection.close();
    await connection.closed;
  }
}
