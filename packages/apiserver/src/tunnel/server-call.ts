import { constants, type Http2ServerResponse, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { createMessageReader, messagePrefix } from '@skiff/tunnel';
import type { Exchange } from '../server/exchange.ts';

/** The status codes of gRPC that are used here. */
export const grpcStatus = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** How long the client may take to end its side once this one has ended. */
const lingerMs = 30_000;
const contentType = 'application/grpc+proto';

/** Percent-encoded outside of printable ASCII, as gRPC wants it. */
const encodeMessage = (text: string): string => text.replaceAll(/[^ -$&-~]/gu, encodeURIComponent);

/** A call that is refused before it began. */
export function refuseCall(x: Exchange, code: number, message: string): void {
  const response = x.response as Http2ServerResponse;
  response.setHeader('content-type', contentType);
  response.setHeader('grpc-status', String(code));
  response.setHeader('grpc-message', encodeMessage(message));
  response.end();
}

export interface CallEvents {
  /** May throw: that ends the call. */
  message(bytes: Buffer): void;
  /** The client sends no more. */
  end?(): void;
  /** The stream is gone, in whatever way; called once. */
  closed(): void;
}

/** The server's side of one gRPC call, on a stream of the server's own HTTP/2: it shares the port, TLS and limits with all other requests. */
export class ServerCall {
  readonly session: ServerHttp2Session | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #response: Http2ServerResponse;
  #finished = false;

  /** Sends the headers: from here on the client knows that it was heard. */
  constructor(x: Exchange, on: CallEvents) {
    this.#response = x.response as Http2ServerResponse;
    this.#stream = this.#response.stream;
    this.session = this.#stream.session as ServerHttp2Session | undefined;
    this.#response.setHeader('content-type', contentType);
    this.#response.writeHead(200);
    const read = createMessageReader();
    const stream = this.#stream;
    stream.on('data', (chunk: Buffer) => {
      if (this.#finished) return;
      try {
        for (const message of read(chunk)) on.message(message);
      } catch (error) {
        this.finish(grpcStatus.internal, (error as Error).message);
      }
    });
    stream.on('error', () => undefined);
    stream.on('end', () => {
      if (!this.#finished) on.end?.();
    });
    // A stream that closed before anybody listened says so no more.
    if (stream.closed || stream.destroyed) setImmediate(() => on.closed());
    else stream.once('close', () => on.closed());
  }

  get open(): boolean {
    return !this.#finished && !this.#stream.closed && !this.#stream.destroyed;
  }

  /** One message, in pieces that are not copied. `sent` is called when the stream takes more. */
  write(pieces: readonly Buffer[], sent: (error?: Error | null) => void = () => undefined): void {
    if (!this.open) return sent(new Error('the stream is closed'));
    let bytes = 0;
    for (const p of pieces) bytes += p.length;
    const stream = this.#stream;
    stream.cork();
    if (bytes === 0) stream.write(messagePrefix(0), sent);
    else {
      stream.write(messagePrefix(bytes));
      pieces.forEach((p, i) => (i === pieces.length - 1 ? stream.write(p, sent) : stream.write(p)));
    }
    stream.uncork();
  }

  pause(): void {
    if (!this.#finished) this.#stream.pause();
  }
  resume(): void {
    this.#stream.resume();
  }

  /** Ends the call with a status once everything is out. What still comes in is read and thrown away: no stream is ever cancelled. */
  finish(code: number = grpcStatus.ok, message = ''): void {
    if (this.#finished) return;
    this.#finished = true;
    const stream = this.#stream;
    if (stream.closed || stream.destroyed) return;
    this.#response.addTrailers({ 'grpc-status': String(code), ...(message === '' ? {} : { 'grpc-message': encodeMessage(message) }) });
    this.#response.end();
    stream.resume();
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), lingerMs);
    timer.unref();
    stream.once('close', () => clearTimeout(timer));
  }
}
