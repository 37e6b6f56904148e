import { randomBytes } from 'node:crypto';
import http, { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RuntimeService } from '../contract.ts';
import { RuntimeError } from '../runtime-error.ts';
import { type Upgrade, UpgradeError, upgradeToAttach, upgradeToExec, upgradeToPortForward } from '../streaming/upgrades.ts';
import type { AttachRequest, ExecRequest } from '../streams.ts';

/** A URL is good for one connection within this time. */
const tokenLifeMs = 60_000;
const maxTokens = 1000;

export type StreamingRequest =
  | { readonly kind: 'exec'; readonly id: string; readonly request: ExecRequest & { readonly stdout: boolean; readonly stderr: boolean } }
  | { readonly kind: 'attach'; readonly id: string; readonly request: AttachRequest }
  | { readonly kind: 'portforward'; readonly id: string; readonly ports: readonly number[] };

export interface StreamingServer {
  urlFor(request: StreamingRequest): string;
  close(): void;
}

async function serve(u: Upgrade, asked: StreamingRequest, runtime: RuntimeService): Promise<void> {
  switch (asked.kind) {
    case 'exec':
      return upgradeToExec(u, asked.request, () => runtime.exec(asked.id, asked.request));
    case 'attach':
      // The runtime knows whether the end of an input is the container's.
      return upgradeToAttach(u, { ...asked.request, endInput: true }, () => runtime.attach(asked.id, asked.request));
    case 'portforward':
      return upgradeToPortForward(u, { forwarder: await runtime.portForward(asked.id), ports: asked.ports, podLabel: asked.id });
  }
}

/**
 * The streaming server that the answers to Exec, Attach and PortForward point to, on loopback: SPDY and WebSockets, by all of
 * Kubernetes' subprotocols.
 */
export async function startStreamingServer(runtime: RuntimeService, now: () => number): Promise<StreamingServer> {
  const tokens = new Map<string, { readonly request: StreamingRequest; readonly expiresAtMs: number }>();
  const sockets = new Set<Duplex>();
  const server = createServer((_request, response) => {
    response.writeHead(400, { 'content-type': 'text/plain' }).end('unable to upgrade: missing upgrade headers in request\n');
  });
  const take = (request: IncomingMessage): StreamingRequest => {
    const token = request.url?.split('/').at(-1)?.split('?')[0] ?? '';
    const found = tokens.get(token);
    tokens.delete(token);
    if (found === undefined || found.expiresAtMs < now()) throw new UpgradeError(404, 'this URL was used before or is too old');
    return found.request;
  };
  server.on('upgrade', (request, socket: Duplex, head: Buffer) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    const accept = async (): Promise<void> => serve({ request, socket, head }, take(request), runtime);
    accept().catch((error: unknown) => {
      refuse(socket, error instanceof UpgradeError ? error.code : 502, error instanceof Error ? error.message : String(error));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    urlFor: (request) => {
      const at = now();
      for (const [token, t] of tokens) if (t.expiresAtMs < at) tokens.delete(token);
      if (tokens.size >= maxTokens) throw new RuntimeError('conflict', 'too many streaming requests wait for their connection');
      const token = randomBytes(24).toString('base64url');
      tokens.set(token, { request, expiresAtMs: at + tokenLifeMs });
      return `http://127.0.0.1:${port}/${request.kind}/${token}`;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
    },
  };
}

function refuse(socket: Duplex, code: number, message: string): void {
  if (socket.destroyed || !socket.writable) return void socket.destroy();
  const body = `${message}\n`;
  socket.end(
    `HTTP/1.1 ${code} ${http.STATUS_CODES[code] ?? ''}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
