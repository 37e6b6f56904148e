import type { Duplex } from 'node:stream';
import type { Logger } from '@skiff/component-base';
import { type Dial, DialError, type DrainAddresses, type NodeMessage, type TunnelConnection } from '@skiff/tunnel';
import type { StreamEnd, TunnelChannel } from '@skiff/tunnel/node';
import { joinTarget } from './connect-target.ts';

/** What a tunnel needs of its node. */
export interface TunnelNode {
  /** 'kubelet': the connection is for this process. Throws DialError. */
  connect(dial: Dial): Promise<Duplex | 'kubelet'>;
  /** Takes a connection as if it had come to the kubelet's port. */
  serveKubelet(connection: Duplex): void;
  /** Resolves with the open connections to an address once the proxy of the node chooses it no more, and none is open or the time is over. */
  drain(address: string, lingerMs: number): Promise<number>;
}

export interface SessionEvents {
  /** The server has said who it is. False: there is a tunnel to it already, this one ends. */
  welcome(serverId: string): boolean;
}

export interface TunnelSession {
  /** Resolves when the control stream is over. Connections may go on. */
  readonly ended: Promise<StreamEnd>;
  /** Gives up: the control stream and all connections. */
  stop(): void;
}

/** How long the server may take to say who it is. */
const welcomeMs = 5_000;

/**
 * One tunnel to one server.
 *
 *     opened ──Welcome──▶ registered ──Dial──▶ connections …
 *       │                     └── the server ends it, or the peer is dead ──▶ ended
 *       └── Welcome from a server that has a tunnel ──▶ ended
 */
export function openTunnel(
  channel: TunnelChannel,
  config: { maxConnections: number },
  deps: { node: TunnelNode; on: SessionEvents; log: Logger },
): TunnelSession {
  const { node, on, log } = deps;
  const open = new Set<Duplex>();
  let dialling = 0;
  let over = false;
  let resolveEnded: (end: StreamEnd) => void = () => undefined;
  const ended = new Promise<StreamEnd>((resolve) => {
    resolveEnded = resolve;
  });

  const answer = (m: NodeMessage): void => {
    if (!over) control.send(m);
  };
  const accept = async (dial: Dial): Promise<void> => {
    if (open.size + dialling >= config.maxConnections) throw new DialError('EXHAUSTED', 'the node has too many connections');
    dialling += 1;
    let target: Duplex | 'kubelet';
    try {
      target = await node.connect(dial);
    } finally {
      dialling -= 1;
    }
    if (over) return void (target !== 'kubelet' && target.destroy());
    const connection: TunnelConnection = channel.connect(dial.id);
    open.add(connection);
    connection.once('close', () => open.delete(connection));
    if (target === 'kubelet') {
      connection.on('error', () => undefined);
      node.serveKubelet(connection);
    } else await joinTarget(connection, target);
  };
  const onDial = (dial: Dial): void => {
    accept(dial).catch((error: unknown) => {
      const known = error instanceof DialError && error.reason !== 'UNAVAILABLE';
      if (!known) log.error({ err: error }, 'a connection for the control plane failed');
      answer({
        dialFailed: { id: dial.id, reason: known ? error.reason : 'UNREACHABLE', message: (error as Error).message },
      } as NodeMessage);
    });
  };
  const drain = async ({ id, addresses, lingerMs }: DrainAddresses): Promise<void> => {
    const all = async (ms: number): Promise<number> =>
      (await Promise.all(addresses.map((a) => node.drain(a, ms)))).reduce((sum, n) => sum + n, 0);
    let openConnections = await all(0);
    if (openConnections > 0 && lingerMs > 0) {
      answer({ addressesDrained: { id, openConnections, finished: false, error: '' } });
      openConnections = await all(lingerMs);
    }
    answer({ addressesDrained: { id, openConnections, finished: true, error: '' } });
  };

  const control = channel.open({
    message: (m) => {
      if (m.welcome) {
        clearTimeout(welcome);
        if (on.welcome(m.welcome.serverId)) answer({ register: {} });
        else control.end();
      }
      if (m.dial) onDial(m.dial);
      if (m.drainAddresses) {
        const { id } = m.drainAddresses;
        drain(m.drainAddresses).catch((error: unknown) =>
          answer({ addressesDrained: { id, openConnections: 0, finished: true, error: (error as Error).message } }),
        );
      }
    },
    ended: (end) => {
      clearTimeout(welcome);
      over = true;
      // Streams that are open keep the connection until they are over.
      channel.close();
      resolveEnded(end);
    },
  });
  const stop = (): void => {
    control.cancel();
    for (const connection of open) connection.destroy();
    channel.close();
  };
  const welcome = setTimeout(stop, welcomeMs);

  return { ended, stop };
}
