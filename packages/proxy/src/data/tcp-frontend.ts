import { createServer, type Server, type Socket } from 'node:net';
import { plainAddress } from '../table/ip.ts';
import type { ServedGroup } from './group.ts';
import type { RawHandle } from './host-ports.ts';
import { serveConnection, type TcpDeps } from './tcp-connection.ts';

const backlog = 4096;

/** What a listener needs to know of its frontend; may change while it listens. */
export interface FrontendTarget {
  group: ServedGroup;
  admits: ((address: string) => boolean) | undefined;
}

export interface OpenFrontend {
  readonly target: FrontendTarget;
  /** The handle, to pass it to another process. */
  handle(): RawHandle | undefined;
  /** Stops listening. TCP connections that are open go on, UDP sessions end. */
  close(): void;
  /** Endpoints changed: sessions to those that are gone end. TCP connections go on. */
  onGroupChanged(): void;
}

/** Listens on the address, or on a socket that is already bound to it. Rejects with the system's error (EADDRINUSE, EADDRNOTAVAIL). */
export async function openTcpFrontend(
  where: { address: string; port: number } | RawHandle,
  target: FrontendTarget,
  deps: TcpDeps,
): Promise<OpenFrontend> {
  const onConnection = (client: Socket): void => {
    // An aborted client is noticed where its socket is used.
    client.on('error', () => undefined);
    const address = client.remoteAddress === undefined ? undefined : plainAddress(client.remoteAddress);
    if (address === undefined) {
      client.destroy();
      return;
    }
    if (target.admits?.(address) === false) {
      client.resetAndDestroy();
      return;
    }
    if (!deps.budget.admits(target.group.open)) {
      deps.budget.shed++;
      client.resetAndDestroy();
      return;
    }
    serveConnection(client, address, target.group, deps);
  };
  const options = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
  const server: Server = createServer(options, onConnection);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.removeListener('error', reject);
      resolve();
    });
    if ('address' in where) server.listen({ host: where.address, port: where.port, backlog, ipv6Only: where.address.includes(':') });
    else server.listen(where, backlog);
  });
  // EMFILE and the like: what can't be accepted now waits in the backlog.
  server.on('error', () => undefined);
  deps.budget.addListeners(1);
  return {
    target,
    handle: () => (server as unknown as { _handle: RawHandle | null })._handle ?? undefined,
    close: () => {
      deps.budget.addListeners(-1);
      server.close();
    },
    onGroupChanged: () => undefined,
  };
}
