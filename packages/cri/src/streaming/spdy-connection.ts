import { Duplex } from 'node:stream';
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { spdyDictionary } from './spdy-dictionary.ts';
import {
  createSpdyParser,
  decodeHeaderBlock,
  encodeControl,
  encodeDataHead,
  encodeHeaderBlock,
  flagFin,
  frameTypes,
  type SpdyFrame,
  type SpdyHeaders,
  uint32,
} from './spdy-frames.ts';

const maxDataBytes = 32 * 1024;
/** Kubernetes' clients have no flow control of their own: when a stream holds this much unread, the connection waits. */
const maxUnreadBytes = 1024 * 1024;
const cancelled = 5;
/** How long a peer may take to read what is left and to close. */
const goodbyeMs = 120_000;

/** One stream, both ways; each half closes on its own. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #connection: SpdyConnection;
  #remoteEnded = false;
  #localEnded = false;

  constructor(connection: SpdyConnection, id: number, headers: SpdyHeaders) {
    super({ allowHalfOpen: true, readableHighWaterMark: maxUnreadBytes });
    this.#connection = connection;
    this.id = id;
    this.headers = headers;
    // An error is told by `close` to whoever listens; nobody has to.
    this.on('error', () => undefined);
  }
  /** Data of the peer. Returns false when it should wait. */
  receive(payload: Buffer, fin: boolean): boolean {
    if (this.destroyed || this.#remoteEnded) return true;
    const more = payload.length === 0 || this.push(payload);
    if (fin) {
      this.#remoteEnded = true;
      this.push(null);
    }
    return more;
  }
  /** The peer says nothing more, and hears nothing: what has come can still be read to its end. */
  hangUp(): void {
    if (this.destroyed) return;
    this.receive(Buffer.alloc(0), true);
    this.#localEnded = true;
    this.end();
  }
  override _read(): void {
    // Called while what is about to be taken still counts as unread.
    process.nextTick(() => this.#connection.resume());
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#connection.sendData(this.id, chunk, done);
  }
  override _final(done: (error?: Error | null) => void): void {
    this.#localEnded = true;
    this.#connection.sendFin(this.id, done);
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#localEnded || !this.#remoteEnded) this.#connection.sendReset(this.id);
    this.#connection.forget(this.id);
    this.#connection.resume();
    done(error);
  }
}

/**
 * One side of a SPDY/3.1 connection. Server: `onStream` gets each stream that the client opens, in order, already replied to. Client:
 * none is given, and streams are opened by `open`; what a server cuts off ends like what it closes, since Kubernetes' servers cut.
 */
export class SpdyConnection {
  /** Resolves when the connection is over, whoever ended it. */
  readonly closed: Promise<void>;
  readonly #socket: Duplex;
  readonly #onStream: ((stream: SpdyStream) => void) | undefined;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #inflate: Inflate = createInflate({ dictionary: spdyDictionary });
  readonly #deflate: Deflate = createDeflate({ dictionary: spdyDictionary });
  readonly #inflated: Buffer[] = [];
  readonly #deflated: Buffer[] = [];
  #work: Promise<void> = Promise.resolve();
  #opening: Promise<unknown> = Promise.resolve();
  #lastStreamId = 0;
  /** Nobody reads streams any more. */
  #closing = false;
  #over = false;
  #noteEnd: () => void = () => undefined;
  readonly #ended = new Promise<void>((resolve) => {
    this.#noteEnd = resolve;
  });

  constructor(socket: Duplex, onStream?: (stream: SpdyStream) => void) {
    this.#socket = socket;
    this.#onStream = onStream;
    this.#inflate.on('data', (b: Buffer) => this.#inflated.push(b));
    this.#deflate.on('data', (b: Buffer) => this.#deflated.push(b));
    this.#inflate.on('error', () => this.destroy());
    const parse = createSpdyParser();
    socket.on('data', (chunk: Buffer) => {
      let frames: SpdyFrame[];
      try {
        frames = parse(chunk);
      } catch {
        this.destroy();
        return;
      }
      // Header blocks share one compression state, so frames are taken strictly in order.
      for (const frame of frames) this.#work = this.#work.then(() => this.#take(frame)).catch(() => this.destroy());
    });
    this.closed = new Promise((resolve) => {
      // What has arrived is taken first: unpacking headers may take longer than the peer needs to go.
      const over = (): void => {
        void Promise.race([this.#work, this.#ended]).then(() => {
          this.#end();
          resolve();
        });
      };
      socket.on('error', over);
      socket.on('close', over);
      // A client that ends its side of the connection is done.
      socket.on('end', () => {
        void this.#work.then(() => {
          this.#end();
          socket.end();
        });
      });
    });
  }

  destroy(): void {
    this.#end();
    this.#socket.destroy();
  }
  /** Opens a stream as a client does. One after the other, since header blocks share one compression state. */
  open(headers: SpdyHeaders): Promise<SpdyStream> {
    const opened = this.#opening.then(async () => {
      const block = await this.#compress(encodeHeaderBlock(headers));
      if (this.#over) throw new Error('the connection is closed');
      const id = this.#lastStreamId === 0 ? 1 : this.#lastStreamId + 2;
      this.#lastStreamId = id;
      const stream = new SpdyStream(this, id, headers);
      this.#streams.set(id, stream);
      this.#write(encodeControl(frameTypes.synStream, 0, Buffer.concat([uint32(id, 0), Buffer.alloc(2), block])));
      return stream;
    });
    this.#opening = opened.catch(() => undefined);
    return opened;
  }
  /**
   * Lets what was written reach the peer, says goodbye and ends. Resolves when the peer has closed too: destroying a socket while it
   * still says something takes back what is under way. One that doesn't close is waited for two minutes.
   */
  async close(): Promise<void> {
    if (this.#over) return;
    this.#closing = true;
    await this.#work;
    this.#write(encodeControl(frameTypes.goAway, 0, uint32(this.#lastStreamId, 0)));
    this.#socket.end();
    this.#socket.resume();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, goodbyeMs);
    });
    await Promise.race([this.closed, late]);
    clearTimeout(timer);
  }
  resume(): void {
    if (this.#socket.isPaused() && (this.#closing || ![...this.#streams.values()].some((s) => s.readableLength >= maxUnreadBytes)))
      this.#socket.resume();
  }
  forget(id: number): void {
    this.#streams.delete(id);
  }
  sendData(id: number, chunk: Buffer, done: (error?: Error | null) => void): void {
    if (this.#over) return done(new Error('the connection is closed'));
    for (let offset = 0; offset < chunk.length; offset += maxDataBytes) {
      const part = chunk.subarray(offset, offset + maxDataBytes);
      this.#socket.write(encodeDataHead(id, 0, part.length));
      const last = offset + maxDataBytes >= chunk.length;
      if (last) this.#socket.write(part, (error) => done(error));
      else this.#socket.write(part);
    }
    if (chunk.length === 0) done();
  }
  sendFin(id: number, done: (error?: Error | null) => void): void {
    if (this.#over) return done();
    this.#socket.write(encodeDataHead(id, flagFin, 0), (error) => done(error));
  }
  sendReset(id: number): void {
    if (!this.#over) this.#write(encodeControl(frameTypes.rstStream, 0, uint32(id, cancelled)));
  }

  #write(bytes: Buffer): void {
    if (!this.#over && !this.#socket.destroyed) this.#socket.write(bytes);
  }
  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#noteEnd();
    for (const stream of this.#streams.values()) this.#cut(stream);
    this.#streams.clear();
    this.#inflate.close();
    this.#deflate.close();
  }
  #cut(stream: SpdyStream | undefined): void {
    if (this.#onStream === undefined) stream?.hangUp();
    else stream?.destroy();
  }
  async #take(frame: SpdyFrame): Promise<void> {
    if (this.#over) return;
    if (frame.kind === 'data') {
      // Were the connection held back now, the peer's end of it would never be seen.
      if (this.#closing) return;
      const stream = this.#streams.get(frame.streamId);
      if (stream !== undefined && !stream.receive(frame.payload, (frame.flags & flagFin) !== 0)) this.#socket.pause();
      return;
    }
    switch (frame.type) {
      case frameTypes.synStream:
        return this.#accept(frame.payload, frame.flags);
      case frameTypes.rstStream:
        this.#cut(this.#streams.get(frame.payload.readUInt32BE(0)));
        return;
      case frameTypes.ping:
        // The client's pings are odd, the server's even. There are none of ours.
        this.#write(encodeControl(frameTypes.ping, 0, frame.payload));
        return;
      case frameTypes.headers:
      case frameTypes.synReply:
        await this.#decompress(frame.payload.subarray(4));
        return;
      default:
        // Settings, windows and goodbyes change nothing here.
        return;
    }
  }
  async #accept(payload: Buffer, flags: number): Promise<void> {
    const id = payload.readUInt32BE(0) & 0x7fffffff;
    const headers = decodeHeaderBlock(await this.#decompress(payload.subarray(10)));
    if (this.#over) return;
    this.#lastStreamId = id;
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    const reply = await this.#compress(encodeHeaderBlock(new Map()));
    this.#write(encodeControl(frameTypes.synReply, 0, Buffer.concat([uint32(id), reply])));
    if ((flags & flagFin) !== 0) stream.receive(Buffer.alloc(0), true);
    if (this.#onStream === undefined) stream.destroy();
    else this.#onStream(stream);
  }
  async #decompress(bytes: Buffer): Promise<Buffer> {
    await new Promise<void>((resolve, reject) => this.#inflate.write(bytes, (error) => (error ? reject(error) : resolve())));
    return Buffer.concat(this.#inflated.splice(0));
  }
  async #compress(bytes: Buffer): Promise<Buffer> {
    this.#deflate.write(bytes);
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    return Buffer.concat(this.#deflated.splice(0));
  }
}
