import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { isRuntimeError } from '../runtime-error.ts';
import type { PortForwarder } from '../streams.ts';
import { SpdyConnection, type SpdyStream } from './spdy-connection.ts';

export const portForwardProtocol = 'portforward.k8s.io';
export const webSocketPortProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'] as const;

/** Bytes both ways; each side's end is passed on, and either side's death is the other's. */
export function joinStreams(a: Duplex, b: Duplex): Promise<void> {
  return new Promise((resolve) => {
    let open = 2;
    const closed = (other: Duplex) => (): void => {
      open -= 1;
      if (open === 0) resolve();
      else if (!other.writableFinished || !other.readableEnded) other.destroy();
    };
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.on('error', () => undefined);
      from.once('close', closed(to));
      from.pipe(to);
    }
  });
}

/**
 * Port-forward over SPDY: for each connection the client opens an error stream and a data stream with the same request ID. A port
 * on which nobody listens is told on the error stream; the session goes on.
 */
export async function servePortForward(socket: Duplex, o: { forwarder: PortForwarder; podLabel: string }): Promise<void> {
  const pairs = new Map<string, { error?: SpdyStream; data?: SpdyStream }>();
  const forward = async (error: SpdyStream, data: SpdyStream): Promise<void> => {
    const port = Number(data.headers.get('port') ?? error.headers.get('port') ?? 'NaN');
    error.resume();
    try {
      if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`invalid port number: ${port}`);
      const target = await o.forwarder.connect(port);
      let broken: Error | undefined;
      target.once('error', (e) => {
        broken = e;
      });
      await joinStreams(data, target);
      // A remote runtime may learn only later that nobody listens.
      if (isRuntimeError(broken)) throw broken;
    } catch (failure) {
      error.write(`error forwarding port ${port} to pod ${o.podLabel}: ${(failure as Error).message}`);
      data.destroy();
    }
    error.end();
  };
  const connection = new SpdyConnection(socket, (stream) => {
    const type = stream.headers.get('streamtype');
    // Old clients name no request: the data stream follows its error stream.
    const id = stream.headers.get('requestid') ?? String(type === 'data' ? stream.id - 2 : stream.id);
    const pair = pairs.get(id) ?? {};
    pairs.set(id, pair);
    if (type === 'error') pair.error = stream;
    else if (type === 'data') pair.data = stream;
    else return void stream.destroy();
    if (pair.error === undefined || pair.data === undefined) return;
    pairs.delete(id);
    void forward(pair.error, pair.data);
  });
  await connection.closed;
  o.forwarder.close();
}

/**
 * Port-forward over WebSocket channels: for the nth port, channel 2n is data and 2n+1 errors, each begun by the server with the
 * port's number. One connection a port.
 */
export async function serveWebSocketPortForward(
  ws: WebSocket,
  o: { forwarder: PortForwarder; ports: readonly number[]; base64: boolean; podLabel: string },
): Promise<void> {
  const send = (channel: number, data: Buffer): void => {
    if (ws.readyState !== ws.OPEN) return;
    if (o.base64) ws.send(`${channel}${data.toString('base64')}`);
    else ws.send(Buffer.concat([Buffer.from([channel]), data]), { binary: true });
  };
  const targets: (Duplex | undefined)[] = [];
  ws.on('message', (message: Buffer | ArrayBuffer | Buffer[]) => {
    const raw = Array.isArray(message) ? Buffer.concat(message) : Buffer.from(message as Buffer);
    const channel = o.base64 ? (raw[0] ?? 0x30) - 0x30 : (raw[0] ?? 0);
    const target = targets[channel / 2];
    const data = o.base64 ? Buffer.from(raw.toString('latin1', 1), 'base64') : raw.subarray(1);
    if (target === undefined || channel % 2 !== 0 || target.write(data)) return;
    ws.pause();
    target.once('drain', () => ws.resume());
  });
  // Clients write as soon as they have read the port's number; nothing is taken from them before it can be handed on.
  ws.pause();
  await Promise.all(
    o.ports.map(async (port, i) => {
      const number = Buffer.alloc(2);
      number.writeUInt16LE(port);
      send(2 * i, number);
      send(2 * i + 1, number);
      try {
        const target = await o.forwarder.connect(port);
        targets[i] = target;
        target.on('data', (chunk: Buffer) => send(2 * i, chunk));
        target.on('error', () => undefined);
        target.once('end', () => ws.close(1000));
      } catch (error) {
        send(2 * i + 1, Buffer.from(`error forwarding port ${port} to pod ${o.podLabel}: ${(error as Error).message}`));
      }
    }),
  );
  ws.resume();
  await new Promise<void>((resolve) => {
    if (ws.readyState === ws.CLOSED) resolve();
    ws.once('close', () => resolve());
  });
  for (const t of targets) t?.destroy();
  o.forwarder.close();
}
