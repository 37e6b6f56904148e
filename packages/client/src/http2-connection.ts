import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import tls from 'node:tls';
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import type { Clock } from '@skiff/component-base';
import type { ClientConfig, PemSource } from './client-config.ts';
import { RequestError } from './contract.ts';
import { isLoopback } from './server-pool.ts';

export interface HttpRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Buffer;
  readonly signal?: AbortSignal;
}
export interface HttpResponse {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  /** The body as it comes. Whoever doesn't read it to its end calls `cancel`. */
  readonly body: AsyncIterable<Buffer>;
  cancel(): void;
}

/**
 * Health pings while something is under way. A machine without power says nothing: it is found by them in 3 to 7 s. The one that this
 * process runs on itself gets client-go's numbers.
 */
const remotePing = { intervalMs: 3_000, timeoutMs: 4_000 };
const loopbackPing = { intervalMs: 30_000, timeoutMs: 15_000 };
/** A connection nobody used for this long is closed. */
const idleCloseMs = 5 * 60_000;
const abandonMs = 500;
const streamWindowBytes = 1 << 20;
const sessionWindowBytes = 16 << 20;

const readPem = async (source: PemSource | undefined): Promise<string | undefined> =>
  source === undefined ? undefined : 'pem' in source ? source.pem : await readFile(source.file, 'utf8');

function connectSocket(url: URL, options: tls.ConnectionOptions): net.Socket {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  if (url.protocol === 'http:') return net.connect({ host, port });
  const servername = net.isIP(host) === 0 ? { servername: host } : {};
  return tls.connect({ host, port, ALPNProtocols: ['h2'], ...servername, ...options });
}

/** Opens a session; certificates in files are read anew. Throws RequestError with `maybeProcessed: false`. */
export async function connectHttp2(
  server: string,
  config: ClientConfig,
  /** `lost`: the open connection broke; not called when it was closed or the server said goodbye. */
  o: { clock: Clock; connectTimeoutMs: number; lost?: () => void },
): Promise<Http2Connection> {
  const { clock, connectTimeoutMs } = o;
  const stamp = credentialStamp(config);
  const { certificateAuthority, clientCertificate, clientKey } = config;
  const [ca, cert] = await Promise.all([readPem(certificateAuthority), readPem(clientCertificate)]);
  // Where both are one file, it is read once: it may be replaced at any time.
  const key = isSameFile(clientCertificate, clientKey) ? cert : await readPem(clientKey);
  const socket = connectSocket(new URL(server), {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(config.tlsServerName === undefined ? {} : { servername: config.tlsServerName }),
    ...(config.insecureSkipTlsVerify === true ? { rejectUnauthorized: false } : {}),
  });
  const session = http2.connect(server, {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: streamWindowBytes },
    maxSessionMemory: 1000,
  });
  await new Promise<void>((resolve, reject) => {
    // A session without a connection takes no notice of its own `destroy` (Node 20): its socket is what must end.
    const timer = clock.after(connectTimeoutMs, () => socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)));
    const onError = (error: Error): void => {
      timer[Symbol.dispose]();
      // Nobody waits for it any more; what it may still say is of no interest.
      session.on('error', () => undefined);
      reject(new RequestError(`cannot connect to ${server}: ${error.message}`, { cause: error, maybeProcessed: false }));
    };
    session.once('error', onError);
    session.once('connect', () => {
      timer[Symbol.dispose]();
      session.off('error', onError);
      resolve();
    });
  });
  session.setLocalWindowSize(sessionWindowBytes);
  return new Http2Connection(session, { server, clock, credentialStamp: stamp, lost: o.lost });
}

const isSameFile = (a: PemSource | undefined, b: PemSource | undefined): boolean =>
  a !== undefined && b !== undefined && 'file' in a && 'file' in b && a.file === b.file;

/** Changes when the files of the client's certificate do. */
export function credentialStamp(config: ClientConfig): string {
  return [config.clientCertificate, config.clientKey, config.certificateAuthority]
    .map((source) => (source === undefined || 'pem' in source ? '' : (statSync(source.file, { throwIfNoEntry: false })?.mtimeMs ?? '')))
    .join(' ');
}

/** One HTTP/2 session: streams, health pings, and an end when it has been idle. */
export class Http2Connection {
  readonly server: string;
  /** Of the certificate it was made with. */
  readonly credentialStamp: string;
  readonly #session: ClientHttp2Session;
  readonly #clock: Clock;
  readonly #ping: typeof remotePing;
  #active = 0;
  #draining = false;
  #failure: Error | undefined;
  #lastUsedMs: number;
  #timer: Disposable;

  constructor(session: ClientHttp2Session, o: { server: string; clock: Clock; credentialStamp: string; lost: (() => void) | undefined }) {
    this.#session = session;
    this.server = o.server;
    this.credentialStamp = o.credentialStamp;
    this.#clock = o.clock;
    this.#ping = isLoopback(o.server) ? loopbackPing : remotePing;
    this.#lastUsedMs = o.clock.monotonicMs();
    session.on('error', (error: Error) => {
      this.#failure = error;
      o.lost?.();
    });
    session.on('goaway', () => {
      this.#draining = true;
    });
    session.on('close', () => {
      this.#draining = true;
      this.#timer[Symbol.dispose]();
    });
    session.unref();
    this.#timer = o.clock.after(this.#ping.intervalMs, () => this.#checkHealth());
  }

  /** Whether it takes one more request. */
  get usable(): boolean {
    const limit = this.#session.remoteSettings?.maxConcurrentStreams ?? 100;
    return !this.gone && this.#active < limit;
  }
  get gone(): boolean {
    return this.#draining || this.#session.closed || this.#session.destroyed;
  }
  get idle(): boolean {
    return this.#active === 0;
  }

  /** Lets what runs on it end, then closes. */
  close(): void {
    this.#draining = true;
    this.#session.close();
  }

  /** Takes no more requests; what is not answered shortly, and every watch, is cut. */
  abandon(why: string): void {
    this.#draining = true;
    this.#clock.after(abandonMs, () => this.#session.destroy(new Error(`left ${this.server}: ${why}`)));
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted();
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(
        { ...request.headers, ':method': request.method, ':path': request.path },
        { endStream: request.body === undefined },
      );
    } catch (error) {
      throw new RequestError(`connection to ${this.server} is closing`, { cause: error, maybeProcessed: false });
    }
    this.#begin(stream);
    const onAbort = (): void => stream.close(http2.constants.NGHTTP2_CANCEL);
    request.signal?.addEventListener('abort', onAbort, { once: true });
    stream.once('close', () => request.signal?.removeEventListener('abort', onAbort));
    if (request.body !== undefined) stream.end(request.body);
    const headers = await new Promise<IncomingHttpHeaders & { ':status'?: number }>((resolve, reject) => {
      let cause: Error | undefined;
      stream.once('response', resolve);
      stream.on('error', (error: Error) => {
        cause = error;
      });
      stream.once('close', () => {
        if (request.signal?.aborted) reject(request.signal.reason as Error);
        else reject(this.#cut(stream, request, cause));
      });
    });
    return {
      code: headers[':status'] ?? 0,
      headers,
      body: this.#read(stream, request),
      cancel: () => stream.close(http2.constants.NGHTTP2_CANCEL),
    };
  }

  async *#read(stream: ClientHttp2Stream, request: HttpRequest): AsyncGenerator<Buffer> {
    let finished = false;
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
      finished = true;
    } catch (error) {
      finished = true;
      if (request.signal?.aborted) throw request.signal.reason as Error;
      throw this.#cut(stream, request, error);
    } finally {
      if (!finished) stream.close(http2.constants.NGHTTP2_CANCEL);
    }
    if (request.signal?.aborted) throw request.signal.reason as Error;
    // Node ends the readable side quietly on RST_STREAM with CANCEL or NO_ERROR; the code is known by then.
    if ((stream.rstCode ?? 0) !== http2.constants.NGHTTP2_NO_ERROR) throw this.#cut(stream, request, undefined);
  }

  #begin(stream: ClientHttp2Stream): void {
    this.#lastUsedMs = this.#clock.monotonicMs();
    this.#active += 1;
    this.#session.ref();
    stream.once('close', () => {
      this.#active -= 1;
      this.#lastUsedMs = this.#clock.monotonicMs();
      if (this.#active === 0 && !this.#session.destroyed) this.#session.unref();
    });
  }

  #cut(stream: ClientHttp2Stream, request: HttpRequest, cause: unknown): RequestError {
    const reason = cause ?? this.#failure;
    const why = reason instanceof Error ? reason.message : `stream reset with code ${stream.rstCode}`;
    return new RequestError(`${request.method} ${this.server}${request.path}: ${why}`, {
      cause: reason,
      maybeProcessed: stream.rstCode !== http2.constants.NGHTTP2_REFUSED_STREAM,
    });
  }

  #checkHealth(): void {
    if (this.#session.destroyed) return;
    if (this.#active === 0) {
      if (this.#clock.monotonicMs() - this.#lastUsedMs >= idleCloseMs) return this.close();
      this.#timer = this.#clock.after(this.#ping.intervalMs, () => this.#checkHealth());
      return;
    }
    const timeout = this.#clock.after(this.#ping.timeoutMs, () =>
      this.#session.destroy(new Error(`no answer to a ping within ${this.#ping.timeoutMs} ms`)),
    );
    this.#timer = timeout;
    this.#session.ping((error) => {
      timeout[Symbol.dispose]();
      if (error === null && !this.#session.destroyed) this.#timer = this.#clock.after(this.#ping.intervalMs, () => this.#checkHealth());
    });
  }
}
