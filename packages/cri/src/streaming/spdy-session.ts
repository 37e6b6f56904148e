import type { Duplex } from 'node:stream';
import type { Status } from '@skiff/apimachinery';
import type { TerminalSize } from '../streams.ts';
import { SpdyConnection, type SpdyStream } from './spdy-connection.ts';
import { type CommandSession, encodeStatus } from './command-session.ts';

export interface CommandOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** Newest first. v4 has JSON on its error stream, v3 and newer resize. */
export const spdyCommandProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const;
const streamTimeoutMs = 30_000;

/** JSON objects one after the other, as Go's encoder writes them. */
export function createSizeParser(): (chunk: Buffer) => TerminalSize[] {
  let rest = '';
  return (chunk) => {
    rest += chunk.toString();
    const sizes: TerminalSize[] = [];
    for (let end = rest.indexOf('}'); end >= 0; end = rest.indexOf('}')) {
      const text = rest.slice(0, end + 1);
      rest = rest.slice(end + 1);
      try {
        const { Width = 0, Height = 0 } = JSON.parse(text) as { Width?: number; Height?: number };
        if (Width > 0 && Height > 0) sizes.push({ width: Width, height: Height });
      } catch {
        // A client's nonsense changes no size.
      }
    }
    return sizes;
  };
}

/** Waits for the streams that the client has to open. Rejects when they don't come. */
export async function acceptSpdySession(socket: Duplex, protocol: string, o: CommandOptions): Promise<CommandSession> {
  const resize = o.tty && (protocol === 'v4.channel.k8s.io' || protocol === 'v3.channel.k8s.io');
  const expected = new Set(['error']);
  if (o.stdin) expected.add('stdin');
  if (o.stdout) expected.add('stdout');
  if (o.stderr && !o.tty) expected.add('stderr');
  if (resize) expected.add('resize');
  const streams = new Map<string, SpdyStream>();
  let complete: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const connection = new SpdyConnection(socket, (stream) => {
    const type = stream.headers.get('streamtype') ?? '';
    if (!expected.has(type) || streams.has(type)) {
      stream.destroy();
      return;
    }
    streams.set(type, stream);
    if (streams.size === expected.size) complete();
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('timed out waiting for client to create streams')), streamTimeoutMs);
  });
  try {
    const gone = connection.closed.then(() => Promise.reject(new Error('the client went away')));
    await Promise.race([all, late, gone]);
  } catch (error) {
    connection.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  // What the client writes to these is of no interest, but must be read.
  for (const type of ['error', 'stdout', 'stderr']) streams.get(type)?.resume();
  const parse = createSizeParser();
  return {
    stdin: streams.get('stdin'),
    stdout: streams.get('stdout'),
    stderr: streams.get('stderr'),
    onResize: (listener) => {
      streams.get('resize')?.on('data', (chunk: Buffer) => {
        for (const size of parse(chunk)) listener(size);
      });
    },
    finish: async (status: Status) => {
      const text =
        protocol === 'v4.channel.k8s.io'
          ? encodeStatus(status)
          : status.status === 'Success'
            ? ''
            : `error executing remote command: ${status.message ?? ''}`;
      const error = streams.get('error');
      if (error !== undefined && !error.destroyed) await new Promise<void>((resolve) => error.end(text, () => resolve()));
      await connection.close();
    },
    closed: connection.closed,
    destroy: () => connection.destroy(),
  };
}
