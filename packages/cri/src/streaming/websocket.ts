import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** A name that ws takes; it refuses the slash in Kubernetes' own. */
const alias = 'spdy-3.1-portforward.k8s.io';
export const spdyTunnelProtocol = 'SPDY/3.1+portforward.k8s.io';

/** A client that has not read everything for so long after the end is given up; what it has not read is lost then. */
const goodbyeMs = 120_000;

export const isWebSocketRequest = (request: IncomingMessage): boolean => request.headers.upgrade?.toLowerCase() === 'websocket';

export const offeredProtocols = (request: IncomingMessage): string[] =>
  (request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((p) => p.trim())
    .filter((p) => p !== '');

/** Completes a WebSocket handshake with the given subprotocol ('' for none). */
export async function acceptWebSocket(o: { request: IncomingMessage; socket: Duplex; head: Buffer; protocol: string }): Promise<WebSocket> {
  const { WebSocketServer } = await import('ws');
  const { request } = o;
  const spoken = o.protocol === spdyTunnelProtocol ? alias : o.protocol;
  if (spoken === '') delete request.headers['sec-websocket-protocol'];
  else request.headers['sec-websocket-protocol'] = spoken;
  // Not written into the call: the types of ws don't know closeTimeout.
  const options = {
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: () => (spoken === '' ? (false as const) : spoken),
    closeTimeout: goodbyeMs,
  };
  const server = new WebSocketServer(options);
  server.on('headers', (headers) => {
    const at = headers.findIndex((h) => h.toLowerCase().startsWith('sec-websocket-protocol:'));
    if (at >= 0) headers[at] = `Sec-WebSocket-Protocol: ${o.protocol}`;
  });
  return new Promise((resolve, reject) => {
    server.once('wsClientError', reject);
    server.handleUpgrade(request, o.socket, o.head, resolve);
  });
}

/** The binary messages of a WebSocket as a byte stream: SPDY runs inside. */
export function webSocketDuplex(ws: WebSocket): Duplex {
  const duplex = new Duplex({
    read: () => {
      ws.resume();
    },
    write: (chunk: Buffer, _encoding, done) => {
      ws.send(chunk, { binary: true }, (error) => done(error));
    },
    final: (done) => {
      ws.close(1000);
      done();
    },
    destroy: (error, done) => {
      ws.terminate();
      done(error);
    },
  });
  ws.on('message', (data: Buffer | ArrayBuffer | Buffer[]) => {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
    if (!duplex.push(bytes)) ws.pause();
  });
  ws.on('close', () => {
    duplex.push(null);
    duplex.destroy();
  });
  ws.on('error', () => duplex.destroy());
  return duplex;
}
