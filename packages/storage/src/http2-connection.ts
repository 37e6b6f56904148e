import type { Duplex } from 'node:stream';
import {
  defaultWindow,
  errorCode,
  flag,
  frame,
  frameHead,
  headBytes,
  maxFrameBytes,
  setting,
  settingsPayload,
  unpadded,
} from './http2-frames.ts';

/** How a stream ended before its time. */
export class Http2Failure extends Error {
  /** The other side has not seen the request, or has said that it did nothing with it. */
  readonly isNotSent: boolean;
  constructor(message: string, o: { isNotSent: boolean; cause?: unknown }) {
    super(message, { cause: o.cause });
    this.name = 'Http2Failure';
    this.isNotSent = o.isNotSent;
  }
}

/** Whom a stream tells what comes. Called from the socket's events; must not throw. */
export interface Http2StreamHandler {
  /** A block of headers or trailers. */
  headers(block: Buffer): void;
  /** A piece of the body: a view of what was read. The window opens again when it is said to be `taken`. */
  data(piece: Buffer, stream: Http2Stream): void;
  /** Called once, at last. undefined: in good order. */
  closed(failure: Http2Failure | undefined): void;
}

/** One request under way. */
export interface Http2Stream {
  /** So many bytes of its body are dealt with: the other side may send as many again. */
  taken(bytes: number): void;
  /** Gives the request up. */
  cancel(): void;
}

interface StreamState extends Http2Stream {
  id: number;
  readonly handler: Http2StreamHandler;
  readonly headers: Buffer;
  /** What of the request's body has not been sent. */
  body: Buffer;
  readonly endsAfterBody: boolean;
  sendWindow: number;
  /** Bytes taken and not yet given back to the window. */
  owed: number;
  isClosed: boolean;
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const windowBytes = 8 * 1024 * 1024;
const maxHeaderBytes = 256 * 1024;
/** Stream ids have 31 bits and are never used again. */
const lastStreamId = 2 ** 31 - 3;
const empty: Buffer = Buffer.alloc(0);

/**
 * The client's half of HTTP/2 (RFC 9113) on one socket, without what etcd does not need: priorities, push, padding of its own, a
 * dynamic header table. What one turn of the event loop wants to send leaves in one write.
 */
export class Http2Connection {
  readonly #socket: Duplex;
  readonly #streams = new Map<number, StreamState>();
  /** Wait for others to end: the peer limits how many there may be. */
  #waiting: StreamState[] = [];
  /** Have more body than the windows let through. */
  readonly #blocked = new Set<StreamState>();
  #nextId = 1;
  #unread: Buffer = empty;
  #outgoing: Buffer[] = [];
  #flushing = false;
  #sendWindow = defaultWindow;
  #owed = 0;
  #peer = { maxConcurrentStreams: Infinity, initialWindowSize: defaultWindow, maxFrameSize: maxFrameBytes };
  #headerBlock: { stream: number; ends: boolean; pieces: Buffer[]; bytes: number } | undefined;
  readonly #pings: (() => void)[] = [];
  #isRetired = false;
  #failure: unknown;
  readonly #onRetired: () => void;

  /** `retired`: takes no more requests; what is under way may still end in good order. Called once. */
  constructor(socket: Duplex, on: { retired: () => void }) {
    this.#socket = socket;
    this.#onRetired = on.retired;
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#read(chunk);
      } catch (error) {
        this.destroy(error);
      }
    });
    socket.on('error', (error) => (this.#failure ??= error));
    socket.on('end', () => this.destroy());
    socket.on('close', () => this.#ended());
    this.#send(preface);
    const settings = settingsPayload([
      [setting.headerTableSize, 0],
      [setting.enablePush, 0],
      [setting.initialWindowSize, windowBytes],
    ]);
    this.#sendFrame(frame.settings, 0, 0, settings);
    this.#sendWindowUpdate(0, windowBytes - defaultWindow);
  }

  /** Requests that wait or are under way. */
  get active(): number {
    return this.#streams.size + this.#waiting.length;
  }

  /** Sends a request: a header block, a body, and unless `more` the end. */
  request(headers: Buffer, body: Buffer, handler: Http2StreamHandler, o: { more?: boolean } = {}): Http2Stream {
    const stream: StreamState = {
      id: 0,
      handler,
      headers,
      body,
      endsAfterBody: o.more !== true,
      sendWindow: 0,
      owed: 0,
      isClosed: false,
      taken: (bytes) => this.#taken(stream, bytes),
      cancel: () => this.#cancel(stream),
    };
    if (this.#isRetired) {
      const failure = new Http2Failure('the connection has ended', { isNotSent: true, cause: this.#failure });
      queueMicrotask(() => this.#close(stream, failure));
    } else if (this.#streams.size >= this.#peer.maxConcurrentStreams) this.#waiting.push(stream);
    else this.#open(stream);
    return stream;
  }

  /** Calls `done` when the other side has answered. */
  ping(done: () => void): void {
    this.#pings.push(done);
    this.#sendFrame(frame.ping, 0, 0, Buffer.alloc(8));
  }

  /** No new requests; ends when the last is done. */
  close(): void {
    this.#retire();
    if (this.active === 0) this.#socket.end();
  }

  /** Ends at once: all that is under way fails. */
  destroy(cause?: unknown): void {
    this.#failure ??= cause;
    this.#retire();
    this.#socket.destroy();
  }

  #retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#onRetired();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const stream of waiting)
      this.#close(stream, new Http2Failure('the connection has ended', { isNotSent: true, cause: this.#failure }));
  }

  #ended(): void {
    this.#retire();
    const why = this.#failure instanceof Error ? this.#failure.message : 'closed';
    for (const stream of this.#streams.values()) this.#close(stream, new Http2Failure(why, { isNotSent: false, cause: this.#failure }));
  }

  #close(stream: StreamState, failure: Http2Failure | undefined): void {
    if (stream.isClosed) return;
    stream.isClosed = true;
    this.#streams.delete(stream.id);
    this.#blocked.delete(stream);
    // Answered before it was asked to the end: the other side need not wait for the rest.
    if (failure === undefined && (stream.body.length > 0 || !stream.endsAfterBody))
      this.#sendNumber(frame.rstStream, stream.id, errorCode.cancel);
    stream.handler.closed(failure);
    while (this.#waiting.length > 0 && this.#streams.size < this.#peer.maxConcurrentStreams)
      this.#open(this.#waiting.shift() as StreamState);
    if (this.#isRetired && this.active === 0) this.#socket.end();
  }

  #cancel(stream: StreamState): void {
    if (stream.isClosed) return;
    if (stream.id === 0) this.#waiting = this.#waiting.filter((s) => s !== stream);
    else this.#sendNumber(frame.rstStream, stream.id, errorCode.cancel);
    this.#close(stream, new Http2Failure('canceled', { isNotSent: stream.id === 0 }));
  }

  // Sending

  #open(stream: StreamState): void {
    stream.id = this.#nextId;
    this.#nextId += 2;
    stream.sendWindow = this.#peer.initialWindowSize;
    this.#streams.set(stream.id, stream);
    this.#sendFrame(frame.headers, flag.endHeaders, stream.id, stream.headers);
    this.#sendBody(stream);
    if (this.#nextId > lastStreamId) this.#retire();
  }

  #sendBody(stream: StreamState): void {
    while (stream.body.length > 0) {
      const bytes = Math.min(stream.body.length, this.#peer.maxFrameSize, this.#sendWindow, stream.sendWindow);
      if (bytes <= 0) {
        this.#blocked.add(stream);
        return;
      }
      const piece = stream.body.subarray(0, bytes);
      stream.body = stream.body.subarray(bytes);
      this.#sendWindow -= bytes;
      stream.sendWindow -= bytes;
      const isLast = stream.body.length === 0;
      this.#sendFrame(frame.data, isLast && stream.endsAfterBody ? flag.endStream : 0, stream.id, piece);
    }
    this.#blocked.delete(stream);
  }

  #sendFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.#send(frameHead(type, flags, streamId, payload.length));
    if (payload.length > 0) this.#send(payload);
  }

  #sendNumber(type: number, streamId: number, value: number): void {
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(value, 0);
    this.#sendFrame(type, 0, streamId, payload);
  }

  #sendWindowUpdate(streamId: number, bytes: number): void {
    this.#sendNumber(frame.windowUpdate, streamId, bytes);
  }

  #send(bytes: Buffer): void {
    this.#outgoing.push(bytes);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      const outgoing = this.#outgoing;
      this.#outgoing = [];
      if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(Buffer.concat(outgoing));
    });
  }

  // Receiving

  #read(chunk: Buffer): void {
    const bytes = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const length = bytes.readUIntBE(at, 3);
      if (length > maxFrameBytes) throw new Error('a frame is longer than allowed');
      const end = at + headBytes + length;
      if (end > bytes.length) break;
      this.#frame(
        bytes[at + 3] as number,
        bytes[at + 4] as number,
        bytes.readUInt32BE(at + 5) & 0x7fffffff,
        bytes.subarray(at + headBytes, end),
      );
      at = end;
    }
    this.#unread = at === bytes.length ? empty : bytes.subarray(at);
  }

  #frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (this.#headerBlock !== undefined && type !== frame.continuation) throw new Error('a header block is not continued');
    switch (type) {
      case frame.data: {
        this.#taken(undefined, payload.length);
        const stream = this.#streams.get(streamId);
        if (stream === undefined) return;
        const content = unpadded(payload, flags);
        if (content.length < payload.length) stream.taken(payload.length - content.length);
        if (content.length > 0) stream.handler.data(content, stream);
        if (flags & flag.endStream) this.#close(stream, undefined);
        return;
      }
      case frame.headers: {
        let block = unpadded(payload, flags);
        if (flags & flag.priority) block = block.subarray(5);
        this.#headers(streamId, block, { ends: (flags & flag.endStream) !== 0, complete: (flags & flag.endHeaders) !== 0 });
        return;
      }
      case frame.continuation:
        this.#headers(streamId, payload, { ends: false, complete: (flags & flag.endHeaders) !== 0 });
        return;
      case frame.rstStream: {
        const stream = this.#streams.get(streamId);
        const code = payload.readUInt32BE(0);
        if (stream !== undefined)
          this.#close(stream, new Http2Failure(`the stream was reset (${code})`, { isNotSent: code === errorCode.refusedStream }));
        return;
      }
      case frame.settings:
        if (flags & flag.ack) return;
        this.#settings(payload);
        this.#sendFrame(frame.settings, flag.ack, 0, empty);
        return;
      case frame.pushPromise:
        throw new Error('a push that was not allowed');
      case frame.ping:
        if (flags & flag.ack) this.#pings.shift()?.();
        else this.#sendFrame(frame.ping, flag.ack, 0, Buffer.from(payload));
        return;
      case frame.goaway:
        this.#goaway(payload.readUInt32BE(0) & 0x7fffffff);
        return;
      case frame.windowUpdate:
        this.#windowUpdate(streamId, payload.readUInt32BE(0) & 0x7fffffff);
        return;
    }
  }

  #headers(streamId: number, piece: Buffer, o: { ends: boolean; complete: boolean }): void {
    const begun = this.#headerBlock;
    if (begun === undefined && o.complete) return this.#headersComplete(streamId, piece, o.ends);
    if (begun !== undefined && begun.stream !== streamId) throw new Error('a header block is not continued');
    const block = begun ?? { stream: streamId, ends: o.ends, pieces: [], bytes: 0 };
    block.pieces.push(piece);
    block.bytes += piece.length;
    if (block.bytes > maxHeaderBytes) throw new Error('headers are longer than allowed');
    this.#headerBlock = o.complete ? undefined : block;
    if (o.complete) this.#headersComplete(streamId, Buffer.concat(block.pieces), block.ends);
  }

  #headersComplete(streamId: number, block: Buffer, ends: boolean): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.handler.headers(block);
    if (ends) this.#close(stream, undefined);
  }

  #settings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case setting.maxConcurrentStreams:
          this.#peer.maxConcurrentStreams = value;
          break;
        case setting.maxFrameSize:
          this.#peer.maxFrameSize = value;
          break;
        case setting.initialWindowSize: {
          const more = value - this.#peer.initialWindowSize;
          this.#peer.initialWindowSize = value;
          for (const stream of this.#streams.values()) stream.sendWindow += more;
          break;
        }
      }
    }
    for (const stream of this.#blocked) this.#sendBody(stream);
  }

  #windowUpdate(streamId: number, bytes: number): void {
    const stream = this.#streams.get(streamId);
    if (streamId === 0) this.#sendWindow += bytes;
    else if (stream !== undefined) stream.sendWindow += bytes;
    for (const blocked of this.#blocked) this.#sendBody(blocked);
  }

  /** Streams above `last` were not looked at. */
  #goaway(last: number): void {
    this.#retire();
    for (const stream of this.#streams.values())
      if (stream.id > last) this.#close(stream, new Http2Failure('etcd goes away', { isNotSent: true }));
    if (this.active === 0) this.#socket.end();
  }

  /** Windows are given back in halves. */
  #taken(stream: StreamState | undefined, bytes: number): void {
    const owed = (stream === undefined ? (this.#owed += bytes) : (stream.owed += bytes)) as number;
    if (owed < windowBytes / 2) return;
    if (stream === undefined) this.#owed = 0;
    else {
      stream.owed = 0;
      if (stream.isClosed) return;
    }
    this.#sendWindowUpdate(stream?.id ?? 0, owed);
  }
}
