import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { badRequest, type Status, StatusError } from '@skiff/apimachinery';
import { type Authorizer, attributesOf, forbiddenError } from '../authz/authorizer.ts';
import { header, type Exchange } from '../server/exchange.ts';
import type { ConnectRequest } from './connect-handler.ts';
import { answerOf, readErrorBody } from './kubelet-client.ts';

const websocketBearerPrefix = 'base64url.bearer.authorization.k8s.io.';

/** Headers of an upgrade request that go on to the backend; credentials never do, and there is no body to measure. */
export function upgradeHeaders(x: Exchange, host: string): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = { host, connection: 'Upgrade' };
  const passed = [
    'upgrade',
    'x-stream-protocol-version',
    'user-agent',
    'sec-websocket-key',
    'sec-websocket-version',
    'sec-websocket-extensions',
  ];
  for (const name of passed) {
    const values: string[] = [];
    const raw = x.request.rawHeaders;
    for (let i = 0; i + 1 < raw.length; i += 2) if (raw[i]?.toLowerCase() === name) values.push(raw[i + 1] ?? '');
    if (values.length === 1 && values[0] !== undefined) out[name] = values[0];
    else if (values.length > 1) out[name] = values;
  }
  const protocols = header(x.request, 'sec-websocket-protocol')
    .split(',')
    .map((p) => p.trim())
    .filter((p) => p !== '' && !p.startsWith(websocketBearerPrefix));
  if (protocols.length > 0) out['sec-websocket-protocol'] = protocols.join(', ');
  return out;
}

export const wantsUpgrade = (x: Exchange): boolean =>
  x.upgrade !== undefined && /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(header(x.request, 'connection'));

/** A WebSocket is opened by GET, but it acts: reading rights must not be enough. Throws Forbidden. */
export async function mustCreate(r: ConnectRequest, authorizer: Authorizer): Promise<void> {
  if (r.info.verb === 'create') return;
  const attributes = { ...attributesOf(r.user, r.info), verb: 'create' };
  const verdict = await authorizer.authorize(attributes);
  if (verdict.decision !== 'allow') throw forbiddenError(attributes, verdict.reason);
}

export const upgradeRequired = (): StatusError => badRequest('Upgrade request required');

function responseHead(response: IncomingMessage): string {
  const lines = [`HTTP/1.1 101 ${response.statusMessage ?? 'Switching Protocols'}`];
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    const name = response.rawHeaders[i] ?? '';
    if (/^(?:audit-id|cache-control)$/i.test(name)) continue;
    lines.push(`${name}: ${response.rawHeaders[i + 1] ?? ''}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** How long a side may take, after the other is gone, to read what is left and to close. */
const goodbyeMs = 120_000;

/** Bytes both ways until both sides are gone, or `signal` aborts. */
function splice(client: Duplex, backend: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let goodbye: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(goodbye);
      signal.removeEventListener('abort', end);
      client.destroy();
      backend.destroy();
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
    for (const [from, to] of [
      [client, backend],
      [backend, client],
    ] as const) {
      from.on('error', () => undefined);
      from.once('close', () => {
        if (to.destroyed) return end();
        // What the other side was given must still reach it: a socket that is closed while it has not read all resets the
        // connection, and the reset overtakes the data. It closes by itself when it has seen the end.
        goodbye = setTimeout(end, goodbyeMs);
        to.end();
        to.resume();
      });
      from.pipe(to);
    }
    if (signal.aborted) end();
  });
}

/**
 * Hands an upgrade request to the backend and, only once that has answered 101, the client's connection with it (CVE-2018-1002105).
 * Any other answer is an error for the client; redirects are not followed. `request` must be ready to be sent.
 */
export async function passUpgrade(x: Exchange, request: ClientRequest, signal: AbortSignal): Promise<void> {
  request.end();
  const { response, upgraded } = await answerOf(request, signal);
  if (upgraded === undefined) {
    const code = response.statusCode ?? 500;
    const text = (await readErrorBody(response)).trim();
    response.destroy();
    if (code >= 300 && code < 400) throw new StatusError('InternalError', 'the backend attempted to redirect the request', { code: 502 });
    throw backendError(code, text);
  }
  const taken = x.upgrade?.takeOver();
  if (taken === undefined) {
    upgraded.socket.destroy();
    throw upgradeRequired();
  }
  for (const socket of [taken.socket, upgraded.socket]) {
    if ('setTimeout' in socket) (socket as Socket).setTimeout(0);
    if ('setNoDelay' in socket) (socket as Socket).setNoDelay(true);
  }
  taken.socket.write(responseHead(response));
  if (upgraded.head.length > 0) taken.socket.write(upgraded.head);
  if (taken.head.length > 0) upgraded.socket.write(taken.head);
  await splice(taken.socket, upgraded.socket, signal);
}

/** A refusal of the kubelet: its own Status where it sent one, its text otherwise. */
export function backendError(code: number, text: string): StatusError {
  try {
    const status = JSON.parse(text) as Partial<Status>;
    if (status.kind === 'Status') return StatusError.fromStatus(status);
  } catch {
    // Plain text then.
  }
  const message = text === '' ? `the backend answered with ${code}` : text;
  if (code === 400) return badRequest(message);
  if (code === 404) return new StatusError('NotFound', message, { details: {} });
  if (code === 500) return new StatusError('InternalError', message, { details: {} });
  return new StatusError('', message, { code });
}
