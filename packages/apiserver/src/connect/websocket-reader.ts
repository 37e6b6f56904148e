import type { IncomingMessage } from 'node:http';
import { badRequest } from '@skiff/apimachinery';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Exchange, header } from '../server/exchange.ts';
import { upgradeRequired, wantsUpgrade } from './upgrade.ts';

/** Subprotocols of a stream that only the server writes to; '' is that of a client which names none. */
const protocols = ['', 'binary.k8s.io', 'base64.binary.k8s.io'] as const;

/** A client that has not read everything for so long after the end is given up; what it has not read is lost then. */
const goodbyeMs = 120_000;

export const wantsWebSocket = (x: Exchange): boolean => wantsUpgrade(x) && header(x.request, 'upgrade').toLowerCase() === 'websocket';

/** The first offered subprotocol that is known. Throws BadRequest. */
export function chooseReaderProtocol(offered: string): (typeof protocols)[number] {
  const names = offered
    .split(',')
    .map((p) => p.trim())
    .filter((p) => p !== '' && !p.startsWith('base64url.bearer.authorization.k8s.io.'));
  if (names.length === 0) return '';
  const found = protocols.find((p) => names.includes(p));
  if (found === undefined) throw badRequest(`unable to upgrade: none of the subprotocols ${names.join(', ')} is supported`);
  return found;
}

function accept(x: Exchange, protocol: string): Promise<WebSocket> {
  const taken = x.upgrade?.takeOver();
  if (taken === undefined) throw upgradeRequired();
  // An upgrade is HTTP/1.
  const request = x.request as IncomingMessage;
  if (protocol === '') delete request.headers['sec-websocket-protocol'];
  // Not written into the call: the types of ws don't know closeTimeout.
  const options = {
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: () => (protocol === '' ? (false as const) : protocol),
    closeTimeout: goodbyeMs,
  };
  const server = new WebSocketServer(options);
  return new Promise((resolve, reject) => {
    server.once('wsClientError', reject);
    server.handleUpgrade(request, taken.socket, taken.head, resolve);
  });
}

/**
 * Answers with `source` as WebSocket messages, each as it comes; the first one is empty and says that the stream stands. Ends
 * with the source, with the client, or when `signal` aborts.
 */
export async function sendToWebSocket(x: Exchange, source: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
  const protocol = chooseReaderProtocol(header(x.request, 'sec-websocket-protocol'));
  const ws = await accept(x, protocol);
  const stop = (): void => ws.terminate();
  ws.on('error', stop);
  // What the client says is of no interest, but has to be read for its closing message.
  ws.resume();
  signal.addEventListener('abort', stop, { once: true });
  const send = (data: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      ws.send(protocol === 'base64.binary.k8s.io' ? data.toString('base64') : data, (error) => (error ? reject(error) : resolve()));
    });
  try {
    await send(Buffer.alloc(0));
    for await (const piece of source) {
      if (ws.readyState !== ws.OPEN) return;
      await send(piece);
    }
    ws.close(1000);
  } catch (error) {
    if (ws.readyState === ws.OPEN && !signal.aborted) {
      ws.close(1011);
      throw error;
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
