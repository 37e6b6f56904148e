import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { KubeletParts } from '../kubelet.ts';
import type { PodWorker } from '../pod/pod-worker.ts';
import { acceptWebSocket, isWebSocketRequest, offeredProtocols, spdyTunnelProtocol, webSocketDuplex } from '../stream/websocket.ts';
import { type CommandSession, serveAttach, serveExec } from './command-session.ts';
import { portForwardProtocol, servePortForward, serveWebSocketPortForward, webSocketPortProtocols } from './port-forward.ts';
import { findPod, findRunning, HttpError } from './routes.ts';
import { acceptSpdySession, type CommandOptions, spdyCommandProtocols } from './spdy-session.ts';
import { acceptWebSocketSession, webSocketCommandProtocols } from './websocket-session.ts';

export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly url: URL;
  readonly parts: KubeletParts;
}

const truthy = (query: URLSearchParams, name: string): boolean => ['1', 'true'].includes(query.get(name) ?? '');

const spdyProtocolsOf = (request: IncomingMessage): string[] => {
  const header = request.headers['x-stream-protocol-version'];
  const all = Array.isArray(header) ? header : header === undefined ? [] : [header];
  return all.flatMap((h) => h.split(',')).map((p) => p.trim());
};

/** The first of the client's protocols that is known; the oldest when it names none. */
function choose(offered: readonly string[], known: readonly string[], fallback: string): string {
  if (offered.length === 0) return fallback;
  const found = offered.find((p) => known.includes(p));
  if (found === undefined)
    throw new HttpError(
      403,
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${known.join(' ')}]`,
    );
  return found;
}

function switchToSpdy(u: UpgradeRequest, protocol: string): Duplex {
  const { socket, head } = u;
  if (head.length > 0) socket.unshift(head);
  const version = protocol === '' ? '' : `X-Stream-Protocol-Version: ${protocol}\r\n`;
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${version}\r\n`);
  return socket;
}

async function acceptSession(u: UpgradeRequest, o: CommandOptions): Promise<CommandSession> {
  if (isWebSocketRequest(u.request)) {
    const protocol = choose(offeredProtocols(u.request), webSocketCommandProtocols, '');
    return acceptWebSocketSession(await acceptWebSocket({ ...u, protocol }), protocol, o);
  }
  const protocol = choose(spdyProtocolsOf(u.request), spdyCommandProtocols, 'channel.k8s.io');
  return acceptSpdySession(switchToSpdy(u, protocol), protocol, o);
}

const optionsOf = (query: URLSearchParams): CommandOptions => ({
  stdin: truthy(query, 'input'),
  stdout: truthy(query, 'output'),
  stderr: truthy(query, 'error'),
  tty: truthy(query, 'tty'),
});

async function exec(u: UpgradeRequest, worker: PodWorker, container: string): Promise<void> {
  const id = findRunning(worker, container);
  const { stdin, tty, ...rest } = optionsOf(u.url.searchParams);
  const command = u.url.searchParams.getAll('command');
  if (command.length === 0) throw new HttpError(400, 'you must specify at least one command for the container');
  const session = await acceptSession(u, { stdin, tty, ...rest });
  try {
    await serveExec(session, () => u.parts.context.runtime.exec(id, { command, tty, stdin }));
  } finally {
    session.destroy();
  }
}

async function attach(u: UpgradeRequest, worker: PodWorker, container: string): Promise<void> {
  const id = findRunning(worker, container);
  const o = optionsOf(u.url.searchParams);
  const spec = [
    ...worker.pod.spec.containers,
    ...(worker.pod.spec.initContainers ?? []),
    ...(worker.pod.spec.ephemeralContainers ?? []),
  ].find((c) => c.name === container);
  const session = await acceptSession(u, o);
  try {
    // Whether there is a terminal is the container's doing, whatever the client believes.
    const tty = spec?.tty === true;
    const start = () => u.parts.context.runtime.attach(id, { stdin: o.stdin, stdout: o.stdout, stderr: o.stderr && !tty, tty });
    await serveAttach(session, start, spec?.stdinOnce === true);
  } finally {
    session.destroy();
  }
}

async function portForward(u: UpgradeRequest, worker: PodWorker): Promise<void> {
  const sandbox = worker.observed.sandboxes.find((s) => s.state === 'ready');
  if (sandbox === undefined) throw new HttpError(404, `pod not found ("${worker.pod.metadata.name}_${worker.pod.metadata.namespace}")`);
  const forwarder = await u.parts.context.runtime.portForward(sandbox.id);
  const podLabel = `${sandbox.id}, uid : ${worker.pod.metadata.uid}`;
  try {
    if (!isWebSocketRequest(u.request)) {
      choose(spdyProtocolsOf(u.request), [portForwardProtocol], portForwardProtocol);
      return await servePortForward(switchToSpdy(u, portForwardProtocol), { forwarder, podLabel });
    }
    const offered = offeredProtocols(u.request);
    if (offered.includes(spdyTunnelProtocol)) {
      const ws = await acceptWebSocket({ ...u, protocol: spdyTunnelProtocol });
      return await servePortForward(webSocketDuplex(ws), { forwarder, podLabel });
    }
    const protocol = choose(offered, webSocketPortProtocols, '');
    const ports = u.url.searchParams
      .getAll('port')
      .flatMap((p) => p.split(','))
      .map(Number);
    if (ports.length === 0 || ports.some((p) => !Number.isInteger(p) || p < 1 || p > 65_535))
      throw new HttpError(400, 'query parameter "port" is required');
    const ws = await acceptWebSocket({ ...u, protocol });
    await serveWebSocketPortForward(ws, { forwarder, ports, base64: protocol.includes('base64'), podLabel });
  } finally {
    forwarder.close();
  }
}

/** exec, attach and port-forward. Throws HttpError as long as the connection was not taken over. */
export async function serveUpgrade(u: UpgradeRequest): Promise<void> {
  const parts = u.url.pathname.split('/').slice(1).map(decodeURIComponent);
  const [what, namespace = '', name = '', ...rest] = parts;
  const worker = (uid?: string): PodWorker => findPod(u.parts, namespace, name, uid);
  switch (what) {
    case 'exec':
    case 'attach': {
      const [first = '', second] = rest;
      const [uid, container] = second === undefined ? [undefined, first] : [first, second];
      return what === 'exec' ? exec(u, worker(uid), container) : attach(u, worker(uid), container);
    }
    case 'portForward':
      return portForward(u, worker(rest[0]));
    default:
      throw new HttpError(404, '404 page not found');
  }
}
