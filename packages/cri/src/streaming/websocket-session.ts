import { PassThrough, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Status } from '@skiff/apimachinery';
import type { TerminalSize } from '../streams.ts';
import { type CommandSession, encodeStatus } from './command-session.ts';
import { type CommandOptions, createSizeParser } from './spdy-session.ts';

/** Newest first; '' is what clients mean that name none. v4 and v5 have JSON on the error channel; v5 can close channels. */
export const webSocketCommandProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const;

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
const closeChannel = 255;

/** exec and attach over a WebSocket: each message begins with the number of its channel. */
export function acceptWebSocketSession(ws: WebSocket, protocol: string, o: CommandOptions): CommandSession {
  const base64 = protocol.includes('base64');
  const send = (channel: number, data: Buffer, done: (error?: Error | null) => void): void => {
    if (ws.readyState !== ws.OPEN) return done(new Error('the client went away'));
    if (base64) ws.send(`${channel}${data.toString('base64')}`, (error) => done(error));
    else ws.send(Buffer.concat([Buffer.from([channel]), data]), { binary: true }, (error) => done(error));
  };
  const output = (channel: number): Writable => {
    const stream = new Writable({ write: (chunk: Buffer, _encoding, done) => send(channel, chunk, done) });
    stream.on('error', () => undefined);
    return stream;
  };
  const stdin = o.stdin ? new PassThrough() : undefined;
  const sizeListeners: ((size: TerminalSize) => void)[] = [];
  const parseSizes = createSizeParser();
  let lastSize: TerminalSize | undefined;

  ws.on('message', (data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean) => {
    const raw = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
    if (raw.length === 0) return;
    const text = base64 || (!isBinary && protocol.includes('base64'));
    const channel = text ? (raw[0] ?? 0x30) - 0x30 : (raw[0] ?? 0);
    const payload = text ? Buffer.from(raw.toString('latin1', 1), 'base64') : raw.subarray(1);
    if (channel === closeChannel && protocol.startsWith('v5.')) {
      if (payload[0] === channels.stdin) stdin?.end();
    } else if (channel === channels.stdin && stdin !== undefined && !stdin.writableEnded) {
      if (!stdin.write(payload)) {
        ws.pause();
        stdin.once('drain', () => ws.resume());
      }
    } else if (channel === channels.resize && o.tty) {
      for (const size of parseSizes(payload)) {
        lastSize = size;
        for (const listener of sizeListeners) listener(size);
      }
    }
  });
  const closed = new Promise<void>((resolve) => {
    ws.on('error', () => resolve());
    ws.on('close', () => {
      stdin?.end();
      resolve();
    });
  });
  const structured = protocol.startsWith('v4.') || protocol.startsWith('v5.');
  const session: CommandSession = {
    stdin,
    stdout: o.stdout ? output(channels.stdout) : undefined,
    stderr: o.stderr && !o.tty ? output(channels.stderr) : undefined,
    onResize: (listener) => {
      sizeListeners.push(listener);
      // The client tells its size at once, often before the process is there.
      if (lastSize !== undefined) listener(lastSize);
    },
    finish: async (status: Status) => {
      const text = structured ? encodeStatus(status) : status.status === 'Success' ? '' : (status.message ?? 'error');
      if (text !== '') await new Promise<void>((resolve) => send(channels.error, Buffer.from(text), () => resolve()));
      ws.close(1000);
      await closed;
    },
    closed,
    destroy: () => ws.terminate(),
  };
  // Clients of the old protocols wait for a first, empty message on each channel.
  for (const channel of [o.stdout ? channels.stdout : undefined, o.stderr && !o.tty ? channels.stderr : undefined, channels.error]) {
    if (channel !== undefined && !structured) send(channel, Buffer.alloc(0), () => undefined);
  }
  return session;
}
