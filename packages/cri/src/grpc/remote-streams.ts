import { Duplex, Transform, Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { RuntimeError } from '../runtime-error.ts';
import type { ExecProcess, PortForwarder } from '../streams.ts';
import { type Channels, channelProtocols, channels, multiplexChannels } from './channel-protocol.ts';

/** Opens the URL that a streaming call of the CRI answered with. Rejects with `unavailable`. */
async function dial(url: string, numbers: readonly number[]): Promise<Channels> {
  const ws = new WebSocket(url.replace(/^http/, 'ws'), [...channelProtocols], { perMessageDeflate: false });
  return new Promise((resolve, reject) => {
    const fail = (message: string): void => {
      reject(new RuntimeError('unavailable', `the runtime's streaming server: ${message}`));
      ws.terminate();
    };
    ws.on('error', (error) => fail(error.message));
    ws.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => fail(body.trim() === '' ? `HTTP ${String(response.statusCode)}` : body.trim()));
    });
    // Taken over at once: the first messages may come with the answer to the handshake.
    ws.once('open', () => resolve(multiplexChannels(ws, numbers)));
  });
}

interface ExitStatus {
  readonly status?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

function parseExit(text: string): number {
  if (text === '') throw new RuntimeError('internal', 'the streams of the process were closed before its end');
  const status = JSON.parse(text) as ExitStatus;
  if (status.status === 'Success') return 0;
  const code = status.details?.causes?.find((c) => c.reason === 'ExitCode')?.message;
  if (code === undefined) throw new RuntimeError('internal', status.message ?? text);
  return Number(code);
}

/** Over v4 an input can't end by itself: the process would wait for ever. */
const endless = new RuntimeError(
  'invalid',
  'the runtime only speaks v4.channel.k8s.io, which can not end the input of a process and leave its output open',
);

/** A process (or, for attach, its first process' streams) behind a streaming URL. */
export async function dialProcess(url: string, o: { readonly tty: boolean; readonly stdin: boolean }): Promise<ExecProcess> {
  const connection = await dial(url, [channels.stdin, channels.stdout, channels.error, ...(o.tty ? [] : [channels.stderr])]);
  const stdout = connection.channel(channels.stdout);
  const stderr = o.tty ? undefined : connection.channel(channels.stderr);
  const input = connection.channel(channels.stdin);
  const errors = connection.channel(channels.error);
  let refused: RuntimeError | undefined;
  let exit = '';
  errors.on('data', (chunk: Buffer) => (exit += chunk.toString()));
  const stdin = new Writable({
    write: (chunk: Buffer, encoding, done) => void input.write(chunk, encoding, done),
    final: (done) => {
      if (connection.canEnd) return void input.end(done);
      refused = endless;
      connection.close();
      done(endless);
    },
  });
  stdin.on('error', () => undefined);
  const read = (stream: Duplex | undefined): Promise<void> =>
    stream === undefined
      ? Promise.resolve()
      : new Promise((resolve) => {
          stream.once('end', resolve);
          stream.once('close', resolve);
        });
  const exitCode = Promise.all([connection.closed, read(stdout), read(stderr), read(errors)]).then(() => {
    if (refused !== undefined) throw refused;
    return parseExit(exit);
  });
  exitCode.catch(() => undefined);
  return {
    ...(o.stdin ? { stdin } : {}),
    stdout,
    ...(stderr === undefined ? {} : { stderr }),
    exitCode,
    resize: async ({ width, height }) => {
      const size = Buffer.from(JSON.stringify({ Width: width, Height: height }));
      // A process that is gone has no size.
      await connection.send(channels.resize, size).catch(() => undefined);
    },
    close: () => {
      connection.close();
      for (const stream of [stdout, stderr, errors]) stream?.destroy();
    },
  };
}

/** Both channels of a port begin with its number. */
const portBytes = 2;

function withoutPort(): Transform {
  let skip = portBytes;
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const at = Math.min(skip, chunk.length);
      skip -= at;
      done(null, chunk.subarray(at));
    },
  });
}

async function dialPort(url: string): Promise<{ socket: Duplex; connection: Channels }> {
  const connection = await dial(url, [0, 1]);
  const data = connection.channel(0);
  const errors = connection.channel(1).pipe(withoutPort());
  const socket = Duplex.from({ readable: data.pipe(withoutPort()), writable: data });
  let trouble = '';
  errors.on('data', (chunk: Buffer) => (trouble += chunk.toString()));
  void connection.closed.then(() => {
    if (trouble !== '') socket.destroy(new RuntimeError('unavailable', trouble.trim()));
  });
  socket.once('close', () => connection.close());
  return { socket, connection };
}

/** One connection to the streaming server for each connection into the sandbox. */
export function createRemotePortForwarder(urlFor: (port: number) => Promise<string>): PortForwarder {
  const open = new Set<Channels>();
  return {
    connect: async (port) => {
      const { socket, connection } = await dialPort(await urlFor(port));
      open.add(connection);
      void connection.closed.then(() => open.delete(connection));
      return socket;
    },
    close: () => {
      for (const connection of open) connection.close();
    },
  };
}
