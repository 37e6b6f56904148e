import { renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '@skiff/component-base';
import type { DataPlane } from './data-plane.ts';
import { encodeLine, lineDecoder } from './frames.ts';
import type { DataReply, DataRequest } from './protocol.ts';

export interface Control {
  /** Takes the place at `path`, from whoever had it before. */
  listen(path: string): Promise<void>;
  close(): void;
}

interface Deps {
  readonly plane: DataPlane;
  readonly log: Logger;
  /** Resolves when the successor has taken over, and then the control socket closes; throws when it hasn't. */
  handOver(command: readonly string[]): Promise<void>;
}

/** The socket on which proxy tells proxy-data what to serve. Losing the connection changes nothing. */
export function createControl(config: { version: string }, deps: Deps): Control {
  const { plane, log } = deps;
  const connections = new Set<Socket>();

  function close(): void {
    server.close();
    for (const socket of connections) socket.end();
  }

  async function handle(request: DataRequest, reply: (message: DataReply) => void): Promise<void> {
    switch (request.type) {
      case 'snapshot':
        return reply({ type: 'applied', problems: await plane.replace(request.table) });
      case 'delta':
        return reply({ type: 'applied', problems: await plane.apply(request.delta) });
      case 'drain':
        return reply({ type: 'drained', id: request.id, openConnections: await plane.drain(request.address, request.timeoutMs) });
      case 'stats':
        return reply({ type: 'stats', id: request.id, stats: plane.stats() });
      case 'hand-over':
        try {
          await deps.handOver(request.command);
          reply({ type: 'handed-over', id: request.id });
          return close();
        } catch (error) {
          log.error({ err: error }, 'the hand-over failed; serving on');
          return reply({ type: 'handed-over', id: request.id, error: error instanceof Error ? error.message : String(error) });
        }
    }
  }

  const server: Server = createServer((socket) => {
    connections.add(socket);
    const reply = (message: DataReply): void => {
      if (!socket.destroyed) socket.write(encodeLine(message));
    };
    reply({ type: 'hello', version: config.version, pid: process.pid, isEmpty: Object.keys(plane.table.frontends).length === 0 });
    const decode = lineDecoder((message) => {
      handle(message as DataRequest, reply).catch((error: unknown) => {
        log.error({ err: error }, 'a request on the control socket failed');
        socket.destroy();
      });
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        decode(chunk);
      } catch (error) {
        log.error({ err: error }, 'what came on the control socket is no table');
        socket.destroy();
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => connections.delete(socket));
  });

  return {
    listen: (path) =>
      new Promise((resolve, reject) => {
        // Bound under a name of its own and then moved, so that the place is never empty and a predecessor's close doesn't remove it.
        const own = `${path}.${process.pid}`;
        rmSync(own, { force: true });
        server.once('error', reject);
        server.listen(own, () => {
          renameSync(own, path);
          resolve();
        });
      }),
    close,
  };
}
