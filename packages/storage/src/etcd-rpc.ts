import http2, { type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2';
import type { EtcdStoreConfig } from './etcd-client.ts';

/** A call that etcd, or the way to it, has failed. `code` is gRPC's. */
export class EtcdCallError extends Error {
  readonly code: number;
  /** It never reached etcd: whatever it was, it has not happened. */
  readonly isNotSent: boolean;
  constructor(code: number, message: string, o: { isNotSent?: boolean; cause?: unknown } = {}) {
    super(message, { cause: o.cause });
    this.name = 'EtcdCallError';
    this.code = code;
    this.isNotSent = o.isNotSent ?? false;
  }
}

export const grpcCode = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  outOfRange: 11,
  unavailable: 14,
  unauthenticated: 16,
} as const;

const keepalive = { everyMs: 10_000, timeoutMs: 5_000 };
const connectTimeoutMs = 3_000;
const windowBytes = 8 * 1024 * 1024;

/**
 * gRPC as far as etcd's hot paths need it, straight on HTTP/2: a call here costs half of what it costs through a full gRPC client
 * (docs/decisions/etcd-calls.md). One session at a time; a dead one is found by pings, its calls fail, and the next call goes to the next member.
 */
export class EtcdRpc {
  readonly #config: EtcdStoreConfig;
  readonly #token: (() => Promise<string>) | undefined;
  #member = 0;
  #session: Promise<ClientHttp2Session> | undefined;
  #streams = 0;
  #isClosed = false;

  /** `token`: an auth token, where etcd wants one. */
  constructor(config: EtcdStoreConfig, token?: () => Promise<string>) {
    this.#config = config;
    this.#token = token;
  }

  /** One request frame, one response message. Throws EtcdCallError. */
  async unary(path: string, frame: Buffer): Promise<Buffer> {
    const session = await this.#connected();
    const headers = await this.#headers(path, { 'grpc-timeout': `${this.#config.callTimeoutMs ?? 10_000}m` });
    return new Promise((resolve, reject) => {
      const stream = open(session, headers);
      const status = new CallStatus(stream);
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      this.#streams++;
      stream.on('close', () => {
        this.#streams--;
        const error = status.error();
        if (error !== undefined) return reject(error);
        const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
        if (body.length < 5 || body.length !== 5 + body.readUInt32BE(1))
          return reject(new EtcdCallError(13, 'etcd answered with an incomplete message'));
        resolve(body.subarray(5));
      });
      stream.end(frame);
    });
  }

  /** Opens a stream, sends one frame, and yields messages until etcd ends it (returns), it breaks (throws) or the signal aborts (returns). */
  async *stream(path: string, frame: Buffer, signal: AbortSignal): AsyncGenerator<Buffer> {
    const session = await this.#connected();
    const stream = open(session, await this.#headers(path, { hasleader: 'true' }));
    const status = new CallStatus(stream);
    const cancel = (): void => stream.close(http2.constants.NGHTTP2_CANCEL);
    signal.addEventListener('abort', cancel, { once: true });
    this.#streams++;
    stream.once('close', () => this.#streams--);
    try {
      if (signal.aborted) return;
      stream.write(frame);
      yield* readMessages(stream);
      const error = status.error();
      if (error !== undefined && !signal.aborted) throw error;
    } catch (error) {
      if (!signal.aborted) throw status.error() ?? error;
    } finally {
      signal.removeEventListener('abort', cancel);
      cancel();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#session?.then(
      (session) => session.close(),
      () => undefined,
    );
  }

  async #headers(path: string, more: OutgoingHttpHeaders): Promise<OutgoingHttpHeaders> {
    return {
      ':method': 'POST',
      ':path': path,
      te: 'trailers',
      'content-type': 'application/grpc',
      ...more,
      ...(this.#token && { token: await this.#token() }),
    };
  }

  #connected(): Promise<ClientHttp2Session> {
    if (this.#isClosed) return Promise.reject(new EtcdCallError(grpcCode.unavailable, 'the client was closed', { isNotSent: true }));
    this.#session ??= this.#connect();
    return this.#session;
  }

  #connect(): Promise<ClientHttp2Session> {
    const { endpoints, tls } = this.#config;
    const endpoint = endpoints[this.#member++ % endpoints.length] ?? '';
    const forget = (): void => {
      if (this.#session === connecting) this.#session = undefined;
    };
    const connecting = new Promise<ClientHttp2Session>((resolve, reject) => {
      const session = http2.connect(endpoint, {
        settings: { enablePush: false, initialWindowSize: windowBytes },
        maxSessionMemory: 1_000,
        ...(tls && { ca: tls.ca, ...(tls.cert && { cert: tls.cert }), ...(tls.key && { key: tls.key }) }),
      });
      let failure: Error | undefined;
      const timer = setTimeout(() => session.destroy(new Error('connecting took too long')), connectTimeoutMs);
      let pinging: NodeJS.Timeout | undefined;
      session.on('error', (error) => {
        failure = error;
      });
      session.on('goaway', forget);
      session.on('close', () => {
        clearTimeout(timer);
        clearInterval(pinging);
        forget();
        reject(
          new EtcdCallError(grpcCode.unavailable, `no connection to ${endpoint}: ${failure?.message ?? 'closed'}`, {
            isNotSent: true,
            cause: failure,
          }),
        );
      });
      session.on('connect', () => {
        clearTimeout(timer);
        session.setLocalWindowSize(windowBytes);
        // Without calls under way, etcd takes pings for abuse.
        pinging = setInterval(() => this.#streams > 0 && ping(session), keepalive.everyMs);
        pinging.unref();
        resolve(session);
      });
    });
    return connecting;
  }
}

/** A session may have ended since it was handed out; then nothing was sent. */
function open(session: ClientHttp2Session, headers: OutgoingHttpHeaders): ClientHttp2Stream {
  try {
    return session.request(headers, { endStream: false });
  } catch (error) {
    throw new EtcdCallError(grpcCode.unavailable, 'the connection to etcd has ended', { isNotSent: true, cause: error });
  }
}

/** No answer in time: the other side, or the way to it, is gone. Everything on the session fails. */
function ping(session: ClientHttp2Session): void {
  const timer = setTimeout(() => session.destroy(new Error('etcd does not answer pings')), keepalive.timeoutMs);
  timer.unref();
  session.ping(() => clearTimeout(timer));
}

/** How a call ended: by its trailers, by headers alone, or by a broken stream. */
class CallStatus {
  #code: number | undefined;
  #message = '';
  #failure: Error | undefined;
  readonly #stream: ClientHttp2Stream;

  constructor(stream: ClientHttp2Stream) {
    this.#stream = stream;
    const note = (headers: NodeJS.Dict<string | string[] | number>): void => {
      const code = headers['grpc-status'];
      if (code === undefined) return;
      this.#code = Number(code);
      this.#message = decodeURIComponent(String(headers['grpc-message'] ?? ''));
    };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.on('error', (error: Error) => {
      this.#failure = error;
    });
  }

  /** Undefined: it went well. */
  error(): EtcdCallError | undefined {
    if (this.#code === 0) return undefined;
    if (this.#code !== undefined) return new EtcdCallError(this.#code, this.#message);
    const isNotSent = this.#stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM || this.#stream.id === undefined;
    return new EtcdCallError(grpcCode.unavailable, `the connection to etcd was cut: ${this.#failure?.message ?? 'stream closed'}`, {
      isNotSent,
      cause: this.#failure,
    });
  }
}

/** Cuts a stream of gRPC frames into messages. */
async function* readMessages(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    rest.push(chunk);
    length += chunk.length;
    while (length >= 5) {
      let buffer = rest[0] as Buffer;
      if (buffer.length < 5) {
        buffer = Buffer.concat(rest, length);
        rest = [buffer];
      }
      const end = 5 + buffer.readUInt32BE(1);
      if (length < end) break;
      if (buffer.length < end) buffer = Buffer.concat(rest, length);
      const left = buffer.subarray(end);
      if (buffer === rest[0] && rest.length > 1) rest = [left, ...rest.slice(1)].filter((piece) => piece.length > 0);
      else rest = left.length > 0 ? [left] : [];
      length -= end;
      yield buffer.subarray(5, end);
    }
  }
}
