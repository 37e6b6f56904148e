import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** Channels of an exec or attach; a port-forward has a data and an error channel for each port. */
export const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
/** v5 can end one direction of a channel, v4 only the whole connection. */
export const closesChannels = 'v5.channel.k8s.io';
export const channelProtocols = [closesChannels, 'v4.channel.k8s.io'] as const;
const closeMark = 255;

/** One WebSocket with numbered channels: the first byte of each binary message says which. */
export interface Channels {
  /** Whether one direction can end while the other goes on. */
  readonly canEnd: boolean;
  channel(number: number): Duplex;
  send(number: number, data: Buffer): Promise<void>;
  close(): void;
  readonly closed: Promise<void>;
}

/**
 * Takes over an open WebSocket; to be called as soon as it is open, since messages may have come with the handshake. What arrives
 * for a channel that is not in `numbers` is dropped; the others have to be read.
 */
export function multiplexChannels(ws: WebSocket, numbers: readonly number[]): Channels {
  const known = new Map<number, Duplex>();
  const ended = new Set<number>();
  const canEnd = ws.protocol === closesChannels;
  const closed = new Promise<void>((resolve) => ws.once('close', () => resolve()));
  const sendRaw = (data: Buffer): Promise<void> =>
    new Promise((resolve, reject) => ws.send(data, { binary: true }, (error) => (error ? reject(error) : resolve())));
  const send = (number: number, data: Buffer): Promise<void> => sendRaw(Buffer.concat([Buffer.of(number), data]));
  const finish = (number: number): void => {
    if (ended.has(number)) return;
    ended.add(number);
    known.get(number)?.push(null);
  };

  for (const number of numbers) {
    const stream = new Duplex({
      allowHalfOpen: true,
      read: () => ws.resume(),
      write: (chunk: Buffer, _encoding, done) => {
        send(number, chunk).then(() => done(), done);
      },
      final: (done) => {
        if (!canEnd || ws.readyState !== ws.OPEN) return done();
        sendRaw(Buffer.of(closeMark, number)).then(() => done(), done);
      },
    });
    // Who reads or writes learns of an error by the end or by `closed`.
    stream.on('error', () => undefined);
    known.set(number, stream);
  }
  ws.on('message', (raw: Buffer | ArrayBuffer | Buffer[]) => {
    const message = Array.isArray(raw) ? Buffer.concat(raw) : Buffer.from(raw as Buffer);
    const number = message[0];
    if (number === undefined) return;
    if (canEnd && number === closeMark) return finish(message[1] ?? closeMark);
    const stream = known.get(number);
    if (message.length > 1 && stream !== undefined && !ended.has(number) && !stream.destroyed && !stream.push(message.subarray(1)))
      ws.pause();
  });
  ws.on('error', () => ws.terminate());
  ws.once('close', () => {
    for (const number of known.keys()) finish(number);
  });

  return {
    canEnd,
    send,
    closed,
    close: () => ws.close(1000),
    channel: (number) => {
      const stream = known.get(number);
      if (stream === undefined) throw new Error(`channel ${number} is not open`);
      return stream;
    },
  };
}
