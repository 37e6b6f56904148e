import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { plainAddress } from '../table/ip.ts';
import { endpointKey, type Endpoint } from '../table/types.ts';
import type { DnsRelay } from './dns-relay.ts';
import type { RawHandle } from './host-ports.ts';
import type { FrontendTarget, OpenFrontend } from './tcp-frontend.ts';
import type { TcpDeps } from './tcp-connection.ts';

export interface UdpDeps extends TcpDeps {
  readonly relay: (socketPath: string) => DnsRelay;
}

interface Session {
  readonly client: { readonly address: string; readonly port: number };
  readonly endpoint: Endpoint;
  readonly upstream: Socket;
  lastMs: number;
  answered: boolean;
}

/** As the kernel's connection tracking has them: one question and its answer, and a conversation. */
const idleMs = 30_000;
const conversationIdleMs = 120_000;
const sweepMs = 5_000;

/** Addresses are numbers here: nothing is to be looked up. */
type Lookup = (
  hostname: string,
  options: unknown,
  callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
) => void;
const noLookup: Lookup = (hostname, _options, callback) => callback(null, hostname, hostname.includes(':') ? 6 : 4);

const socketFor = (address: string): Socket =>
  createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', ipv6Only: address.includes(':'), lookup: noLookup as never });

const handleOf = (socket: Socket): RawHandle | undefined => {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const state = (socket as unknown as Record<symbol, unknown>)[symbol];
    if (typeof state === 'object' && state !== null && 'handle' in state && 'bindState' in state) return state.handle as RawHandle;
  }
  return undefined;
};

const key = (address: string, port: number): string => `${address} ${port}`;

/**
 * Receives datagrams on the address and passes each client's to one endpoint through a socket of its own; answers leave from
 * the address that was asked. A session ends when it is idle, when its endpoint goes, or when room is needed.
 */
export async function openUdpFrontend(
  where: { address: string; port: number } | RawHandle,
  target: FrontendTarget,
  deps: UdpDeps,
): Promise<OpenFrontend> {
  const family = 'address' in where ? where.address : '0.0.0.0';
  const socket = socketFor(family);
  const sessions = new Map<string, Session>();

  const end = (id: string, session: Session): void => {
    if (sessions.get(id) !== session) return;
    sessions.delete(id);
    deps.budget.addSessions(-1);
    target.group.open--;
    session.upstream.close();
  };
  const makeRoom = (): boolean => {
    if (deps.budget.admitsSession()) return true;
    for (const [id, session] of sessions) {
      end(id, session);
      return true;
    }
    return false;
  };

  function start(id: string, from: RemoteInfo, address: string, tried: Set<string>, first: Buffer): void {
    const endpoint = target.group.picker.pick(address, tried);
    if (endpoint === undefined || !makeRoom()) {
      target.group.failures++;
      return;
    }
    const upstream = socketFor(endpoint.address);
    const session: Session = {
      client: { address: from.address, port: from.port },
      endpoint,
      upstream,
      lastMs: performance.now(),
      answered: false,
    };
    sessions.set(id, session);
    deps.budget.addSessions(1);
    target.group.connections++;
    target.group.open++;
    // "Port unreachable": the next datagram gets another endpoint; this one does at once if nothing was heard yet.
    upstream.on('error', () => {
      target.group.picker.failed(endpoint, false);
      tried.add(endpointKey(endpoint));
      const retry = !session.answered && sessions.get(id) === session;
      end(id, session);
      if (retry) start(id, from, address, tried, first);
    });
    upstream.on('message', (message) => {
      session.answered = true;
      session.lastMs = performance.now();
      target.group.bytesOut += message.length;
      socket.send(message, session.client.port, session.client.address, () => undefined);
    });
    const source = deps.sourceFor(address, endpoint);
    const connect = (): void => {
      if (sessions.get(id) === session) upstream.connect(endpoint.port, endpoint.address, () => sendIfOpen(id, session, first));
    };
    if (source === undefined) connect();
    else upstream.bind({ address: source, port: 0, exclusive: true }, connect);
  }

  function sendIfOpen(id: string, session: Session, message: Buffer): void {
    if (sessions.get(id) === session) session.upstream.send(message, () => undefined);
  }

  socket.on('message', (message, from) => {
    const { group } = target;
    group.bytesIn += message.length;
    const address = plainAddress(from.address);
    if (target.admits?.(address) === false) return;
    const { relaySocket } = group.picker.group;
    if (relaySocket !== undefined) {
      deps.relay(relaySocket).forward(message, from, (answer) => socket.send(answer, from.port, from.address, () => undefined));
      return;
    }
    const id = key(from.address, from.port);
    const session = sessions.get(id);
    if (session === undefined) return start(id, from, address, new Set(), message);
    session.lastMs = performance.now();
    // Order of use is the order of the map: the first one is the one to give way.
    sessions.delete(id);
    sessions.set(id, session);
    if (isConnected(session.upstream)) session.upstream.send(message, () => undefined);
    else session.upstream.once('connect', () => sendIfOpen(id, session, message));
  });

  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('listening', () => {
      socket.removeListener('error', reject);
      resolve();
    });
    if ('address' in where) socket.bind({ address: where.address, port: where.port, exclusive: true });
    else socket.bind(where as never);
  });
  // An answer that can't be sent is lost as on any network.
  socket.on('error', () => undefined);
  deps.budget.addListeners(1);
  const sweep = setInterval(() => {
    const nowMs = performance.now();
    for (const [id, session] of sessions) if (nowMs - session.lastMs > (session.answered ? conversationIdleMs : idleMs)) end(id, session);
  }, sweepMs);
  sweep.unref();

  return {
    target,
    handle: () => handleOf(socket),
    close: () => {
      clearInterval(sweep);
      for (const [id, session] of sessions) end(id, session);
      deps.budget.addListeners(-1);
      socket.close();
    },
    onGroupChanged: () => {
      const usable = new Set(target.group.picker.group.endpoints.map(endpointKey));
      for (const [id, session] of sessions) if (!usable.has(endpointKey(session.endpoint))) end(id, session);
    },
  };
}

function isConnected(socket: Socket): boolean {
  try {
    socket.remoteAddress();
    return true;
  } catch {
    return false;
  }
}
