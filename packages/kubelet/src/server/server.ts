import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import type { Client } from '@skiff/client';
import { UpgradeError } from '@skiff/cri/streaming';
import { aborted, type Clock, type Logger, readCertificateFile } from '@skiff/component-base';
import type { KubeletParts } from '../kubelet.ts';
import { createCpuRates } from '../stats/cpu-rate.ts';
import { accessOf, createAuthenticator, createAuthorizer } from './authentication.ts';
import { servingCertificate } from './node-certificates.ts';
import { HttpError, type NodePages, routes } from './routes.ts';
import { serveUpgrade } from './upgrades.ts';

export interface ServerConfig {
  readonly address: string;
  readonly port: number;
  /** Plain HTTP on 127.0.0.1, only /healthz; 0 for none. */
  readonly healthzPort: number;
  readonly nodeName: string;
  readonly nodeAddresses: readonly string[];
  readonly clientCaFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** Kept by `servingCertificate`; used instead of the two above. A self-signed one serves until it is there. */
  readonly servingFile?: string;
  readonly configuration: object;
  readonly node: NodePages;
}

/** Where connections come in that did not come to the port: the tunnel's. */
export interface ConnectionInlet {
  /** Served as if it had come to the port; destroyed while there is no server. */
  offer(connection: Duplex): void;
  attach(serve: (connection: Duplex) => void): Disposable;
}

export function createConnectionInlet(): ConnectionInlet {
  let serve: ((connection: Duplex) => void) | undefined;
  return {
    offer: (connection) => {
      if (serve === undefined) connection.destroy(new Error("the kubelet's server is not running"));
      else serve(connection);
    },
    attach: (to) => {
      serve = to;
      return {
        [Symbol.dispose]: () => {
          if (serve === to) serve = undefined;
        },
      };
    },
  };
}

/** The apiserver keeps connections for its next request; it lets go of them before this. */
const keepAliveMs = 90_000;
/** As upstream's; commands of `exec` are in the address. */
const maxHeaderBytes = 1024 * 1024;

type Listening = http.Server | https.Server;

const listen = (server: Listening, port: number, address: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve();
    });
  });

const stop = (server: Listening): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

/** Throws a 400: what stands in a request's first line is not always a URL, and nobody has been asked yet who sends it. */
function urlOf(request: IncomingMessage): URL {
  try {
    const url = new URL(`https://kubelet${request.url ?? '/'}`);
    decodeURIComponent(url.pathname);
    return url;
  } catch {
    throw new HttpError(400, '400 Bad Request: malformed URL'); // the parser's complaint says no more
  }
}

async function readCredentials(config: ServerConfig): Promise<{ cert: string; key: string }> {
  if (config.servingFile === undefined && config.certFile !== undefined && config.keyFile !== undefined)
    return { cert: await readFile(config.certFile, 'utf8'), key: await readFile(config.keyFile, 'utf8') };
  const stored = config.servingFile === undefined ? undefined : readCertificateFile(config.servingFile);
  if (stored !== undefined) return { cert: stored.pem, key: stored.pem };
  // Loaded by those nodes alone that were given no certificate yet.
  const { selfSigned } = await import('./self-signed.ts');
  return selfSigned(config.nodeName, config.nodeAddresses);
}

/** Serves the kubelet's API until `signal` aborts. Every request is authenticated and authorized by the API, /healthz too. */
export async function runServer(
  config: ServerConfig,
  deps: { parts: Promise<KubeletParts>; client: Client; inlet: ConnectionInlet; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const { log } = deps;
  const rates = createCpuRates();
  const authenticate = createAuthenticator(deps);
  const authorize = createAuthorizer(config.nodeName, deps);
  const credentials = await readCredentials(config);
  const ca = config.clientCaFile === undefined ? undefined : await readFile(config.clientCaFile, 'utf8');
  const trust = { ...(ca === undefined ? {} : { ca }), minVersion: 'TLSv1.2' } as const;
  const server = https.createServer({
    ...credentials,
    ...trust,
    requestCert: ca !== undefined,
    rejectUnauthorized: false,
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: maxHeaderBytes,
  });
  const upgraded = new Set<Duplex>();

  const admit = async (request: IncomingMessage, url: URL): Promise<KubeletParts> => {
    const who = await authenticate(request);
    if (who === undefined) throw new HttpError(401, 'Unauthorized');
    const access = accessOf(request.method ?? 'GET', url.pathname);
    if (!(await authorize(who, access))) {
      throw new HttpError(
        403,
        `Forbidden (user=${who.user}, verb=${access.verb}, resource=nodes, subresource(s)=[${access.subresources.join(' ')}])`,
      );
    }
    return deps.parts;
  };
  const fail = (error: unknown): { code: number; text: string } => {
    if (error instanceof HttpError || error instanceof UpgradeError) return { code: error.code, text: error.message };
    // A % in the path that begins no character.
    if (error instanceof URIError) return { code: 400, text: '400 Bad Request: malformed URL' };
    log.error({ err: error }, 'a request failed');
    return { code: 500, text: error instanceof Error ? error.message : String(error) };
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = urlOf(request);
    const parts = await admit(request, url);
    let isKnown = false;
    for (const route of routes) {
      const match = route.pattern.exec(url.pathname);
      if (match === null) continue;
      isKnown = true;
      if (request.method !== route.method && !(request.method === 'HEAD' && route.method === 'GET')) continue;
      await route.handle({ request, response, url, parts, configuration: config.configuration, node: config.node, rates, signal }, match);
      return;
    }
    if (isKnown) throw new HttpError(405, '405: Method Not Allowed');
    if (/^\/(exec|attach|portForward)\//.test(url.pathname))
      throw new HttpError(400, 'unable to upgrade: missing upgrade headers in request');
    throw new HttpError(404, '404 page not found');
  };

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    response.on('error', () => undefined);
    handle(request, response).catch((error: unknown) => {
      const { code, text } = fail(error);
      if (response.headersSent) response.destroy();
      else response.writeHead(code, { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' }).end(text);
    });
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgraded.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => upgraded.delete(socket));
    const serve = async (): Promise<void> => {
      const url = urlOf(request);
      const parts = await admit(request, url);
      await serveUpgrade({ request, socket, head, url, parts });
    };
    serve().catch((error: unknown) => {
      const { code, text } = fail(error);
      if (socket.writable) {
        const body = Buffer.from(text);
        socket.end(
          `HTTP/1.1 ${code} ${http.STATUS_CODES[code] ?? ''}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${text}`,
        );
      }
    });
  });

  const health = http.createServer((request, response) => {
    const known = request.url === '/healthz';
    response.writeHead(known ? 200 : 404, { 'Content-Type': 'text/plain; charset=utf-8' }).end(known ? 'ok' : '404 page not found');
  });
  await listen(server, config.port, config.address);
  using _inlet = deps.inlet.attach((connection) => server.emit('connection', connection));
  if (config.healthzPort !== 0) await listen(health, config.healthzPort, '127.0.0.1');
  const { servingFile, nodeName } = config;
  const certificate =
    servingFile === undefined
      ? undefined
      : servingCertificate(
          { file: servingFile, nodeName, addresses: [...config.nodeAddresses, nodeName] },
          // Connections that stand go on as they are.
          { ...deps, changed: (pem) => server.setSecureContext({ cert: pem, key: pem, ...trust }) },
        );
  await Promise.all([certificate?.run(signal), aborted(signal)]);
  for (const socket of upgraded) socket.destroy();
  await Promise.all([stop(server), config.healthzPort === 0 ? Promise.resolve() : stop(health)]);
}
