import { renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { aborted } from '@skiff/component-base';
import { encodeAnswer, frameDecoder } from '../data/dns-relay.ts';
import type { Resolver } from './resolver.ts';

export interface DnsServer {
  /** Where TCP questions are answered; known once `listening` has resolved. */
  readonly tcpPort: number;
  readonly listening: Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

const idleMs = 10_000;

/**
 * Answers proxy-data's frames on a unix socket and DNS over TCP on an address of the host. `tcpPort` is the wanted one; when
 * another process has it, any other is taken.
 */
export function createDnsServer(
  config: { relaySocket: string; tcpAddress: string; tcpPort: number },
  deps: { resolver: Resolver },
): DnsServer {
  const { resolver } = deps;
  const sockets = new Set<Socket>();
  let port = config.tcpPort;
  let markListening: () => void = () => undefined;
  const listening = new Promise<void>((resolve) => {
    markListening = resolve;
  });

  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };

  const relay: Server = createServer((socket) => {
    track(socket);
    socket.on(
      'data',
      frameDecoder((body) => {
        const id = body.readUInt32BE(0);
        const message = body.subarray(5 + body.readUInt8(4));
        void resolver.resolve(message, 'udp').then((answer) => {
          if (answer !== undefined && !socket.destroyed) socket.write(encodeAnswer(id, answer));
        });
      }),
    );
  });

  const tcp: Server = createServer((socket) => {
    track(socket);
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on(
      'data',
      frameDecoder((message) => {
        void resolver.resolve(message, 'tcp').then((answer) => {
          if (answer === undefined || socket.destroyed) return;
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length, 0);
          socket.write(Buffer.concat([length, answer]));
        });
      }),
    );
  });

  const listen = (server: Server, options: { path: string } | { host: string; port: number }): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(options, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });

  return {
    get tcpPort() {
      return port;
    },
    listening,
    run: async (signal) => {
      try {
        const own = `${config.relaySocket}.${process.pid}`;
        rmSync(own, { force: true });
        await listen(relay, { path: own });
        renameSync(own, config.relaySocket);
        await listen(tcp, { host: config.tcpAddress, port: config.tcpPort }).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'EADDRINUSE') throw error;
          return listen(tcp, { host: config.tcpAddress, port: 0 });
        });
        const address = tcp.address();
        if (typeof address === 'object' && address !== null) port = address.port;
        markListening();
        await aborted(signal);
      } finally {
        relay.close();
        tcp.close();
        for (const socket of sockets) socket.destroy();
      }
    },
  };
}
