import { renameSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { aborted, type Logger } from '@skiff/component-base';
import type { DataLink } from './data-link.ts';

const bodyLimit = 4_096;
const longestDrainMs = 60_000;

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyLimit) throw new Error('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * HTTP on a unix socket, for processes of this host: `POST /drain {"address": "10.244.1.5", "timeoutMs": 2000}` makes the proxy
 * choose the address no more and answers `{"openConnections": n}` when none is open or the time is over; 503 while proxy-data
 * can't say.
 */
export function createControlSocket(
  config: { path: string },
  deps: { data: DataLink; log: Logger },
): { run(signal: AbortSignal): Promise<void> } {
  async function drain(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body: unknown = JSON.parse(await readBody(request));
    const { address, timeoutMs } = (typeof body === 'object' && body !== null ? body : {}) as { address?: unknown; timeoutMs?: unknown };
    if (typeof address !== 'string' || isIP(address) === 0 || typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
      response.writeHead(400).end('address and timeoutMs are needed');
      return;
    }
    const openConnections = await deps.data.drain(address, Math.min(timeoutMs, longestDrainMs));
    if (openConnections === undefined) response.writeHead(503).end('proxy-data does not answer');
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ openConnections }));
  }
  return {
    run: async (signal) => {
      const server = createServer((request, response) => {
        if (request.method !== 'POST' || request.url !== '/drain') {
          response.writeHead(404).end();
          return;
        }
        drain(request, response).catch((error: unknown) => {
          deps.log.debug({ err: error }, 'a malformed request for a drain');
          if (!response.headersSent) response.writeHead(400).end();
        });
      });
      const own = `${config.path}.${process.pid}`;
      rmSync(own, { force: true });
      try {
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject);
          server.listen(own, resolve);
        });
        renameSync(own, config.path);
        await aborted(signal);
      } finally {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}
