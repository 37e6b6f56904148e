import { constants } from 'node:crypto';
import { type IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Logger } from '@skiff/component-base';
import { connectionOf, type Exchange, type HttpRequest, type HttpResponse } from './exchange.ts';
import type { TlsMaterial } from './tls-files.ts';

export interface ListenerConfig {
  readonly address: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Share of requests over HTTP/2 after which the connection is asked to move elsewhere (GOAWAY), 0 to 0.02. */
  readonly goawayChance: number;
  /** How long requests under way may take to finish after the end of `run`'s signal. */
  readonly drainMs: number;
}

export interface Listener {
  /** Opens the port; resolves with the number. */
  listen(): Promise<number>;
  useCertificates(material: TlsMaterial): void;
  /** No new connections and requests; resolves when those under way are done or `drainMs` is over. */
  close(): Promise<void>;
}

const caOf = (m: TlsMaterial): string[] => [m.clientCa?.pem, m.requestHeaderCa?.pem].filter((pem): pem is string => pem !== undefined);

/**
 * HTTPS for HTTP/2 and HTTP/1.1 on one port. Every request, upgrades included, goes to `serve`, which must not throw.
 * Client certificates are asked for but not judged here: that is done for each request.
 */
export function createListener(
  config: ListenerConfig,
  deps: { material: TlsMaterial; serve: (x: Exchange) => Promise<void>; log: Logger },
): Listener {
  const { serve, log } = deps;
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const inFlight = new Set<Promise<void>>();
  let closing = false;

  const server: Http2SecureServer = createSecureServer({
    allowHTTP1: true,
    cert: deps.material.cert,
    key: deps.material.key,
    ca: caOf(deps.material),
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    // A resumed session would come without the intermediate certificates that its chain needs.
    secureOptions: constants.SSL_OP_NO_TICKET,
    handshakeTimeout: 10_000,
    // client-go puts all streams of a process on one connection: node's defaults end it when one list is read slowly
    // (10 MB) or one request carries 128 headers.
    maxSessionMemory: 1000,
    maxHeaderListPairs: 2000,
    settings: { maxConcurrentStreams: 250, maxHeaderListSize: 1 << 20, initialWindowSize: 1 << 18 },
  });

  const track = (work: Promise<void>): void => {
    inFlight.add(work);
    void work.finally(() => inFlight.delete(work));
  };

  server.on('request', (request: HttpRequest, response: HttpResponse) => {
    // Errors of sockets that clients broke off: the pipeline learns of them by 'close'.
    request.on('error', ignore);
    response.on('error', ignore);
    if (closing && request.httpVersionMajor === 1) response.setHeader('connection', 'close');
    if (config.goawayChance > 0 && 'stream' in request && Math.random() < config.goawayChance) request.stream.session?.close();
    track(serve({ request, response, connection: connectionOf(request) }));
  });

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    request.on('error', ignore);
    socket.on('error', ignore);
    const response = new ServerResponse(request);
    response.on('error', ignore);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.once('finish', () => {
      response.detachSocket(socket as Socket);
      socket.end();
    });
    const takeOver = (): { socket: Duplex; head: Buffer } => {
      response.detachSocket(socket as Socket);
      return { socket, head };
    };
    track(serve({ request, response, connection: connectionOf(request), upgrade: { takeOver } }));
  });

  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', (error) => log.debug({ err: error }, 'HTTP/2 session failed'));
    if (closing) session.close();
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', (error, socket: TLSSocket) => log.debug({ err: error, from: socket.remoteAddress }, 'TLS handshake failed'));
  server.on('sessionError', (error) => log.debug({ err: error }, 'HTTP/2 session failed'));
  // Node answers malformed HTTP/1.1 itself when nobody listens, but not over TLS with HTTP/2 on.
  server.on('clientError', refuseMalformed);
  Object.assign(server, { headersTimeout: 32_000, requestTimeout: 0, keepAliveTimeout: 90_000 });

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port: config.port, host: config.address, backlog: 1024 }, () => {
          server.off('error', reject);
          server.on('error', (error) => log.error({ err: error }, 'listener failed'));
          resolve((server.address() as AddressInfo).port);
        });
      }),
    useCertificates: (m) => server.setSecureContext({ cert: m.cert, key: m.key, ca: caOf(m) }),
    close: async () => {
      closing = true;
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      for (const session of sessions) session.close();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, config.drainMs);
      });
      await Promise.race([Promise.allSettled(inFlight), late]);
      clearTimeout(timer);
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const ignore = (): void => undefined;

/** What is no HTTP/1.1 gets the answer that upstream gives, and no second chance on its connection. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  const line =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const head = `HTTP/1.1 ${line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n`;
  // Whoever goes on sending is cut off once the answer is out.
  socket.end(`${head}${line}`, () => socket.destroy());
}
