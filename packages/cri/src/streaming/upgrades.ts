import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ExecProcess, PortForwarder, ProcessStreams } from '../streams.ts';
import { type CommandSession, serveAttach, serveExec } from './command-session.ts';
import { portForwardProtocol, servePortForward, serveWebSocketPortForward, webSocketPortProtocols } from './port-forward.ts';
import { acceptSpdySession, type CommandOptions, spdyCommandProtocols } from './spdy-session.ts';
import { acceptWebSocketSession, webSocketCommandProtocols } from './websocket-session.ts';
import { acceptWebSocket, isWebSocketRequest, offeredProtocols, spdyTunnelProtocol, webSocketDuplex } from './websocket.ts';

/** A request that asks for SPDY or a WebSocket, not answered yet. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Why a connection is not taken over; to be answered with this code. */
export class UpgradeError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

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
    throw new UpgradeError(
      403,
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${known.join(' ')}]`,
    );
  return found;
}

function switchToSpdy(u: Upgrade, protocol: string): Duplex {
  const { socket, head } = u;
  if (head.length > 0) socket.unshift(head);
  const version = protocol === '' ? '' : `X-Stream-Protocol-Version: ${protocol}\r\n`;
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${version}\r\n`);
  return socket;
}

async function acceptSession(u: Upgrade, o: CommandOptions): Promise<CommandSession> {
  if (isWebSocketRequest(u.request)) {
    const protocol = choose(offeredProtocols(u.request), webSocketCommandProtocols, '');
    return acceptWebSocketSession(await acceptWebSocket({ ...u, protocol }), protocol, o);
  }
  const protocol = choose(spdyProtocolsOf(u.request), spdyCommandProtocols, 'channel.k8s.io');
  return acceptSpdySession(switchToSpdy(u, protocol), protocol, o);
}

/** Runs a process for a client, by whichever protocol it speaks. Throws UpgradeError as long as the connection was not taken over. */
export async function upgradeToExec(u: Upgrade, o: CommandOptions, start: () => Promise<ExecProcess>): Promise<void> {
  const session = await acceptSession(u, o);
  try {
    await serveExec(session, start);
  } finally {
    session.destroy();
  }
}

/** Connects a client with a running container. `endInput`: the end of its input is the container's. Throws UpgradeError as above. */
export async function upgradeToAttach(
  u: Upgrade,
  o: CommandOptions & { readonly endInput: boolean },
  attach: () => Promise<ProcessStreams>,
): Promise<void> {
  const session = await acceptSession(u, o);
  try {
    await serveAttach(session, attach, o.endInput);
  } finally {
    session.destroy();
  }
}

/**
 * Connects a client with ports of a sandbox. `ports`: those that a client of the WebSocket channels means; with SPDY each stream names
 * its own. Closes the forwarder at the end. Throws UpgradeError as above.
 */
export async function upgradeToPortForward(
  u: Upgrade,
  o: { readonly forwarder: PortForwarder; readonly podLabel: string; readonly ports: readonly number[] },
): Promise<void> {
  const { forwarder, podLabel, ports } = o;
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
    if (ports.length === 0 || ports.some((p) => !Number.isInteger(p) || p < 1 || p > 65_535))
      throw new UpgradeError(400, 'query parameter "port" is required');
    const ws = await acceptWebSocket({ ...u, protocol });
    await serveWebSocketPortForward(ws, { forwarder, ports, base64: protocol.includes('base64'), podLabel });
  } finally {
    forwarder.close();
  }
}
