import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { EtcdStoreConfig } from './etcd-client.ts';
import { MessageCutter } from './grpc-messages.ts';
import { decodeHeaders, encodeHeaders } from './hpack.ts';
import { Http2Connection, type Http2Failure, type Http2Stream, type Http2StreamHandler } from './http2-connection.ts';

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
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

const keepalive = { everyMs: 10_000, timeoutMs: 5_000 };
const connectTimeoutMs = 3_000;
/** A member that failed is tried again after this time; until then others go first. */
const memberPenaltyMs = 10_000;
const leaveAfterMs = 1_000;
const watchPath = '/etcdserverpb.Watch/Watch';
const snapshotPath = '/etcdserverpb.Maintenance/Snapshot';
/** A member without a leader ends the stream instead of keeping it in silence. */
const hasLeader = ['hasleader', 'true'] as const;

/**
 * gRPC as far as etcd's hot paths need it (docs/decisions/etcd-calls.md). One connection at a time; a dead one is found by pings, its
 * calls fail, and the next call goes to the next member.
 */
export class EtcdRpc {
  readonly #config: EtcdStoreConfig;
  readonly #token: (() => Promise<string>) | undefined;
  /** Members that the cluster itself names, beside the configured ones. */
  #learned: readonly string[] = [];
  /** When each was last found not to work. */
  readonly #failedAtMs = new Map<string, number>();
  #endpoint = '';
  #connectedAtMs = 0;
  #connecting: Promise<Http2Connection> | undefined;
  /** The connection that calls go to. */
  #connection: Http2Connection | undefined;
  #authority = '';
  /** Header blocks by path, for one member and token. */
  #blocks = new Map<string, Buffer>();
  #blocksToken: string | undefined;
  #isClosed = false;
  /** Asks whether the first member answers. */
  #visit: EtcdRpc | undefined;

  /** `token`: an auth token, where etcd wants one. */
  constructor(config: EtcdStoreConfig, token?: () => Promise<string>) {
    this.#config = config;
    this.#token = token;
  }

  /** One request frame, one response message. Rejects with EtcdCallError. */
  unary(path: string, frame: Buffer): Promise<Buffer> {
    const connection = this.#connection;
    if (connection !== undefined && this.#token === undefined) return this.#call(connection, path, undefined, frame);
    return this.#connected().then(async (c) => this.#call(c, path, await this.#token?.(), frame));
  }

  #call(connection: Http2Connection, path: string, token: string | undefined, frame: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const cutter = new MessageCutter();
      let message: Buffer | undefined;
      const status = new CallStatus();
      connection.request(this.#headers(path, token), frame, {
        headers: (block) => status.note(block),
        data: (piece, stream) => {
          message = cutter.push(piece)[0] ?? message;
          stream.taken(piece.length);
        },
        closed: (failure) => {
          const error = status.error(failure);
          if (error !== undefined) reject(error);
          else if (message === undefined || !cutter.isEmpty)
            reject(new EtcdCallError(grpcCode.internal, 'etcd answered with an incomplete message'));
          else resolve(message);
        },
      });
    });
  }

  /**
   * Opens a stream, sends one frame, and yields messages, as many as there are, until etcd ends it (returns), it breaks (throws) or the
   * signal aborts (returns). What is not asked for makes etcd wait.
   */
  async *stream(path: string, frame: Buffer, signal: AbortSignal): AsyncGenerator<readonly Buffer[]> {
    const connection = await this.#connected();
    const inbox = new Inbox();
    const headers = this.#headers(path, await this.#token?.());
    const stream = connection.request(headers, frame, inbox, { more: path !== snapshotPath });
    const cancel = (): void => stream.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      if (signal.aborted) return;
      for (;;) {
        const { messages, bytes } = await inbox.next();
        if (signal.aborted) return;
        if (messages === undefined) break;
        yield messages;
        stream.taken(bytes);
      }
      const error = inbox.error();
      if (error !== undefined) throw error;
    } finally {
      signal.removeEventListener('abort', cancel);
      cancel();
    }
  }

  /** Further members to turn to when the configured ones are away. */
  learn(endpoints: readonly string[]): void {
    this.#learned = endpoints;
  }

  /** Goes to another member for what comes next: the current one answers, but can't do its work. With one member, nothing changes. */
  leave(): void {
    // Calls that failed together leave together: the connection that came after them stays.
    if (!this.hasOthers || performance.now() - this.#connectedAtMs < leaveAfterMs) return;
    this.#failedAtMs.set(this.#endpoint, performance.now());
    const left = this.#connecting;
    this.#connecting = undefined;
    this.#connection = undefined;
    whenThere(left, (connection) => connection.close());
  }

  /**
   * Back to the first configured member, if it answers this call: others can be cut off without a word, and pings take their time to find out.
   * What is under way ends in good order, or is `cut`: a watch would never end. Rejects with EtcdCallError when that member doesn't answer.
   */
  async returnHome(path: string, frame: Buffer, o: { readonly cut: boolean }): Promise<void> {
    const home = this.#config.endpoints[0] ?? '';
    const away = this.#connection;
    if (away === undefined || this.#endpoint === home || this.#isClosed) return;
    const visit = (this.#visit = new EtcdRpc({ ...this.#config, endpoints: [home] }, this.#token));
    await visit.unary(path, frame).finally(() => visit.close());
    if (this.#connection !== away) return;
    this.#failedAtMs.delete(home);
    this.#connecting = undefined;
    this.#connection = undefined;
    if (o.cut) away.destroy(new Error('back to the first member'));
    else away.close();
  }

  /** Whether there is another member to go to. */
  get hasOthers(): boolean {
    return this.#endpoints().length > 1;
  }

  #endpoints(): readonly string[] {
    return [...new Set([...this.#config.endpoints, ...this.#learned])];
  }

  /** In the configured order, which begins with the nearest; those that failed lately last. */
  #pick(): string {
    const now = performance.now();
    const failedAt = (endpoint: string): number => this.#failedAtMs.get(endpoint) ?? -memberPenaltyMs;
    const endpoints = this.#endpoints();
    return endpoints.find((e) => now - failedAt(e) >= memberPenaltyMs) ?? endpoints.toSorted((a, b) => failedAt(a) - failedAt(b))[0] ?? '';
  }

  close(): void {
    this.#isClosed = true;
    whenThere(this.#connecting, (connection) => connection.close());
    // Nobody waits for what that member may say.
    const visiting = this.#visit === undefined ? undefined : this.#visit.#connecting;
    whenThere(visiting, (connection) => connection.destroy(new Error('the client was closed')));
  }

  #headers(path: string, token: string | undefined): Buffer {
    if (token !== this.#blocksToken) {
      this.#blocks.clear();
      this.#blocksToken = token;
    }
    let block = this.#blocks.get(path);
    if (block === undefined) {
      block = encodeHeaders([
        [':method', 'POST'],
        [':scheme', this.#config.tls === undefined ? 'http' : 'https'],
        [':path', path],
        [':authority', this.#authority],
        ['te', 'trailers'],
        ['content-type', 'application/grpc'],
        ...(path === snapshotPath
          ? []
          : [path === watchPath ? hasLeader : (['grpc-timeout', `${this.#config.callTimeoutMs ?? 10_000}m`] as const)]),
        ...(token === undefined ? [] : [['token', token] as const]),
      ]);
      this.#blocks.set(path, block);
    }
    return block;
  }

  #connected(): Promise<Http2Connection> {
    if (this.#isClosed) return Promise.reject(new EtcdCallError(grpcCode.unavailable, 'the client was closed', { isNotSent: true }));
    this.#connecting ??= this.#connect();
    return this.#connecting;
  }

  #connect(): Promise<Http2Connection> {
    const { tls } = this.#config;
    const picked = this.#pick();
    this.#endpoint = picked;
    const endpoint = new URL(picked);
    const host = endpoint.hostname.replace(/^\[(.*)\]$/, '$1');
    const isTls = endpoint.protocol === 'https:';
    const port = Number(endpoint.port || (isTls ? 443 : 80));
    const connecting = new Promise<Http2Connection>((resolve, reject) => {
      const socket: Socket = isTls
        ? connectTls({
            host,
            port,
            ALPNProtocols: ['h2'],
            ...(isIP(host) === 0 && { servername: host }),
            ...(tls && { ca: tls.ca, ...(tls.cert && { cert: tls.cert }), ...(tls.key && { key: tls.key }) }),
          })
        : connectTcp({ host, port });
      socket.setNoDelay(true);
      const timer = setTimeout(() => socket.destroy(new Error('connecting took too long')), connectTimeoutMs);
      let failure: Error | undefined;
      const failed = (error: Error): void => {
        failure = error;
      };
      const closed = (): void => {
        clearTimeout(timer);
        if (this.#connecting === connecting) this.#connecting = undefined;
        this.#failedAtMs.set(picked, performance.now());
        const why = `no connection to ${endpoint.origin}: ${failure?.message ?? 'closed'}`;
        reject(new EtcdCallError(grpcCode.unavailable, why, { isNotSent: true, cause: failure }));
      };
      socket.on('error', failed);
      socket.once('close', closed);
      socket.once(isTls ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer);
        socket.off('close', closed);
        const connection: Http2Connection = new Http2Connection(socket, {
          retired: () => {
            // What broke by itself is not the first to be tried; what was left is marked already.
            if (this.#connection === connection) this.#failedAtMs.set(picked, performance.now());
            if (this.#connecting === connecting) this.#connecting = undefined;
            if (this.#connection === connection) this.#connection = undefined;
          },
        });
        this.#failedAtMs.delete(picked);
        this.#connectedAtMs = performance.now();
        this.#authority = endpoint.host;
        this.#blocks.clear();
        if (this.#connecting === connecting) this.#connection = connection;
        watchOver(connection, socket);
        resolve(connection);
      });
    });
    return connecting;
  }
}

function whenThere(connecting: Promise<Http2Connection> | undefined, act: (connection: Http2Connection) => void): void {
  connecting?.then(act, () => undefined);
}

/** No answer to a ping in time: the other side, or the way to it, is gone. Everything on the connection fails. */
function watchOver(connection: Http2Connection, socket: Socket): void {
  // Without calls under way, etcd takes pings for abuse.
  const pinging = setInterval(() => {
    if (connection.active === 0) return;
    const timer = setTimeout(() => connection.destroy(new Error('etcd does not answer pings')), keepalive.timeoutMs);
    timer.unref();
    connection.ping(() => clearTimeout(timer));
  }, keepalive.everyMs);
  pinging.unref();
  socket.once('close', () => clearInterval(pinging));
}

/** How a call ended: by its trailers, by headers alone, or by a broken stream. */
class CallStatus {
  #http = '';
  #code: number | undefined;
  #message = '';

  note(block: Buffer): void {
    const { http, code, message } = readStatus(block);
    this.#http ||= http;
    if (code === undefined) return;
    this.#code = code;
    this.#message = message;
  }

  /** Undefined: it went well. */
  error(failure: Http2Failure | undefined): EtcdCallError | undefined {
    if (this.#code === 0) return undefined;
    if (this.#code !== undefined) return new EtcdCallError(this.#code, this.#message);
    const why = failure?.message ?? `HTTP status ${this.#http}`;
    return new EtcdCallError(grpcCode.unavailable, `the connection to etcd was cut: ${why}`, {
      isNotSent: failure?.isNotSent ?? false,
      cause: failure,
    });
  }
}

interface StatusHeaders {
  readonly http: string;
  readonly code: number | undefined;
  readonly message: string;
}

const maxRemembered = 64;
const remembered = new Map<string, StatusHeaders>();

/** What a header block says of a call. Blocks stand for themselves, and nearly all are alike: what was read is remembered. */
function readStatus(block: Buffer): StatusHeaders {
  const key = block.length > 256 ? undefined : block.toString('latin1');
  const known = key === undefined ? undefined : remembered.get(key);
  if (known !== undefined) return known;
  let http = '';
  let code: number | undefined;
  let message = '';
  decodeHeaders(block, (name, value) => {
    if (name === ':status') http = value;
    else if (name === 'grpc-status') code = Number(value);
    else if (name === 'grpc-message') message = percentDecoded(value);
  });
  const status = { http, code, message };
  if (remembered.size >= maxRemembered) remembered.clear();
  if (key !== undefined) remembered.set(key, status);
  return status;
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What a stream has brought and nobody has fetched yet. */
class Inbox implements Http2StreamHandler {
  readonly #cutter = new MessageCutter();
  readonly #status = new CallStatus();
  #messages: Buffer[] = [];
  #bytes = 0;
  #isEnded = false;
  #failure: Http2Failure | undefined;
  #wake: (() => void) | undefined;

  headers(block: Buffer): void {
    this.#status.note(block);
  }

  data(piece: Buffer, stream: Http2Stream): void {
    const messages = this.#cutter.push(piece);
    // A message may be longer than the window: what completes none is not waited with.
    if (messages.length === 0) return stream.taken(piece.length);
    this.#bytes += piece.length;
    for (const message of messages) this.#messages.push(message);
    this.#wake?.();
  }

  closed(failure: Http2Failure | undefined): void {
    this.#isEnded = true;
    this.#failure = failure;
    this.#wake?.();
  }

  error(): EtcdCallError | undefined {
    return this.#status.error(this.#failure);
  }

  /** All there is, once there is something; undefined: the stream has ended. `bytes` of it have come since the last call. */
  async next(): Promise<{ messages: readonly Buffer[] | undefined; bytes: number }> {
    while (this.#messages.length === 0) {
      if (this.#isEnded) return { messages: undefined, bytes: 0 };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    const out = { messages: this.#messages, bytes: this.#bytes };
    this.#messages = [];
    this.#bytes = 0;
    return out;
  }
}
