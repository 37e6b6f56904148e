import http, { type ClientRequest } from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { RuntimeError } from '../runtime-error.ts';
import { SpdyConnection, type SpdyStream } from '../streaming/spdy-connection.ts';
import type { ExecProcess, PortForwarder } from '../streams.ts';

const commandProtocol = 'v4.channel.k8s.io';
const portForwardProtocol = 'portforward.k8s.io';
/** For the whole answer to the upgrade. */
const answerMs = 30_000;

const unavailable = (message: string, cause?: Error): RuntimeError =>
  new RuntimeError('unavailable', `the runtime's streaming server: ${message}`, cause === undefined ? {} : { cause });

/**
 * Opens the URL that a streaming call of the CRI answered with. SPDY, which every runtime's server speaks: over its streams an input
 * can end while the output goes on, which over the WebSockets of older runtimes it can't. Rejects with `unavailable`.
 */
function dial(url: string, protocol: string): Promise<SpdyConnection> {
  return new Promise((resolve, reject) => {
    const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocol };
    const options = { method: 'POST', agent: false, headers } as const;
    const request: ClientRequest = url.startsWith('https:') ? https.request(url, options) : http.request(url, options);
    const limit = setTimeout(() => request.destroy(new Error(`no answer for ${answerMs / 1000} s`)), answerMs);
    request.once('close', () => clearTimeout(limit));
    request.once('error', (error) => reject(unavailable(error.message, error)));
    request.once('upgrade', (_response, socket: Duplex, head: Buffer) => {
      clearTimeout(limit);
      if (head.length > 0) socket.unshift(head);
      resolve(new SpdyConnection(socket));
    });
    request.once('response', (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body = (body + chunk.toString()).slice(0, 4096)));
      response.on('end', () => reject(unavailable(body.trim() === '' ? `HTTP ${String(response.statusCode)}` : body.trim())));
      response.on('error', (error) => reject(unavailable(error.message, error)));
    });
    request.end();
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

const over = (stream: SpdyStream | undefined): Promise<void> =>
  stream === undefined
    ? Promise.resolve()
    : new Promise((resolve) => {
        stream.once('end', resolve);
        stream.once('close', resolve);
      });

/** What the client of a process opens; the server waits for exactly these. */
export interface ProcessRequest {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** A process (or, for attach, a container's first process' streams) behind a streaming URL. */
export async function dialProcess(url: string, o: ProcessRequest): Promise<ExecProcess> {
  const connection = await dial(url, commandProtocol);
  const open = (type: string): Promise<SpdyStream> => connection.open(new Map([['streamtype', type]]));
  const errors = await open('error');
  const stdin = o.stdin ? await open('stdin') : undefined;
  // Whoever does not ask for the output has none to read.
  const stdout = o.stdout ? await open('stdout') : undefined;
  const stderr = o.stderr && !o.tty ? await open('stderr') : undefined;
  const sizes = o.tty ? await open('resize') : undefined;
  for (const unread of [stdin, sizes]) unread?.resume();
  let exit = '';
  errors.on('data', (chunk: Buffer) => (exit += chunk.toString()));
  const exitCode = Promise.all([over(errors), over(stdout), over(stderr)]).then(() => {
    connection.destroy();
    return parseExit(exit);
  });
  exitCode.catch(() => undefined);
  return {
    ...(stdin === undefined ? {} : { stdin }),
    stdout: stdout ?? errors,
    ...(stderr === undefined ? {} : { stderr }),
    exitCode,
    resize: async ({ width, height }) => {
      // A process that is gone has no size.
      sizes?.write(JSON.stringify({ Width: width, Height: height }));
    },
    close: () => connection.destroy(),
  };
}

async function dialPort(url: string, port: number): Promise<{ socket: Duplex; connection: SpdyConnection }> {
  const connection = await dial(url, portForwardProtocol);
  const open = (type: string): Promise<SpdyStream> =>
    connection.open(
      new Map([
        ['streamtype', type],
        ['port', String(port)],
        ['requestid', '0'],
      ]),
    );
  const errors = await open('error');
  errors.end();
  const socket = await open('data');
  let trouble = '';
  errors.on('data', (chunk: Buffer) => (trouble += chunk.toString()));
  errors.once('end', () => {
    if (trouble !== '') socket.destroy(new RuntimeError('unavailable', trouble.trim()));
  });
  socket.once('close', () => connection.destroy());
  return { socket, connection };
}

/** One connection to the streaming server for each connection into the sandbox. */
export function createRemotePortForwarder(urlFor: (port: number) => Promise<string>): PortForwarder {
  const open = new Set<SpdyConnection>();
  return {
    connect: async (port) => {
      const { socket, connection } = await dialPort(await urlFor(port), port);
      open.add(connection);
      void connection.closed.then(() => open.delete(connection));
      return socket;
    },
    close: () => {
      for (const connection of open) connection.destroy();
    },
  };
}
