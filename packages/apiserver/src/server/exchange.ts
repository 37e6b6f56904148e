import { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** What is remembered about one TLS connection, whatever runs over it. */
export interface ClientConnection {
  readonly remoteAddress: string;
  /** The certificates the peer sent, its own first; empty when it sent none. Nothing about them has been checked. */
  readonly certificates: readonly X509Certificate[];
  /** A place for authenticators to keep what they worked out about the certificates. */
  verdict: { readonly bundle: object; readonly value: unknown } | undefined;
  /** The same for front proxies, which another bundle vouches for. */
  frontProxyVerdict?: { readonly bundle: object; readonly value: unknown };
}

/** One request and the place for its answer, alike for HTTP/1.1, HTTP/2 and upgrades. */
export interface Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly connection: ClientConnection;
  /** Set when the client asks for a protocol upgrade. Whoever takes the socket over calls `takeOver` first and then owns it. */
  readonly upgrade?: { takeOver(): { readonly socket: Duplex; readonly head: Buffer } };
}

const isHttp2 = (r: HttpRequest): r is Http2ServerRequest => r.httpVersionMajor === 2;

const connections = new WeakMap<object, ClientConnection>();

function peerCertificates(socket: TLSSocket): X509Certificate[] {
  const out: X509Certificate[] = [];
  const seen = new Set<string>();
  let next = typeof socket.getPeerCertificate === 'function' ? socket.getPeerCertificate(true) : undefined;
  while (next?.raw !== undefined && !seen.has(next.fingerprint256) && out.length < 10) {
    seen.add(next.fingerprint256);
    out.push(new X509Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return out;
}

/** The connection that a request came over; the same value for all requests of a connection. */
export function connectionOf(request: HttpRequest): ClientConnection {
  const session = isHttp2(request) ? request.stream.session : undefined;
  const key: object = session ?? request.socket;
  let connection = connections.get(key);
  if (connection === undefined) {
    const socket = request.socket as TLSSocket;
    connection = { remoteAddress: socket.remoteAddress ?? '', certificates: peerCertificates(socket), verdict: undefined };
    connections.set(key, connection);
  }
  return connection;
}

/** One value of a header; '' when absent. */
export function header(request: HttpRequest, name: string): string {
  const value = request.headers[name];
  return value === undefined ? '' : Array.isArray(value) ? value.join(',') : String(value);
}

/** Every value of a header, not split at commas. */
export function headerValues(request: HttpRequest, name: string): readonly string[] {
  const out: string[] = [];
  const raw = request.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) if (raw[i]?.toLowerCase() === name) out.push(raw[i + 1] ?? '');
  return out;
}
