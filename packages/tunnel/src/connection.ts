import { Duplex } from 'node:stream';
import { type Frame, maxFrameBytes } from './messages.ts';

/** What carries the frames of one connection: a Connect stream, seen from either end. */
export interface FrameCarrier {
  /** Calls `sent` when the stream takes more; with an error when it is gone. */
  send(frame: Frame, sent: (error?: Error | null) => void): void;
  /** Frames that come in are held back, by HTTP/2's flow control, until `resume`. */
  pause(): void;
  resume(): void;
  /** This side sends no more: ends the stream normally once everything is out. What still comes in is thrown away. */
  finish(): void;
}

const bufferBytes = 128 * 1024;
/** How long the user of a connection whose peer has ended and gone may take to read the rest. */
const lingerMs = 30_000;

class ConnectionReset extends Error {
  readonly code = 'ECONNRESET';
}

/**
 * One dialled connection as a byte stream that stays half open, like a socket.
 *
 *     open ──end()──▶ half closed ──peer's end──▶ closed: the stream ends normally
 *       └───────────── destroy(), peer's reset, stream lost ─────────────▶ reset
 *
 * A peer that has said `end` and then goes away altogether loses nothing of what it had said: as with a closed socket, the reader
 * gets all of it, while writes go nowhere.
 */
export class TunnelConnection extends Duplex {
  readonly #carrier: FrameCarrier;
  #endSent = false;
  #endReceived = false;
  #lost = false;
  #linger: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(carrier: FrameCarrier) {
    super({ allowHalfOpen: true, highWaterMark: bufferBytes });
    this.#carrier = carrier;
    // A reset may come before the user has begun to listen, or after it lost interest; it must not end the process.
    this.on('error', () => undefined);
  }

  /** A frame that came in. */
  receive(frame: Frame): void {
    this.#idle?.refresh();
    if (this.destroyed || this.#endReceived) return;
    if (frame.reset) this.#reset(frame.reset.message === '' ? 'connection reset by peer' : frame.reset.message);
    else if (frame.end) {
      this.#endReceived = true;
      this.push(null);
    } else if (frame.data && frame.data.length > 0 && !this.push(frame.data)) this.#carrier.pause();
  }

  /** The stream has ended, whoever ended it. Before both sides have said `end` that is a broken connection. */
  carrierClosed(message = 'the tunnel is gone'): void {
    if (this.#lost) return;
    this.#lost = true;
    if (!this.#endReceived) this.#reset(message);
    else if (!this.#endSent) {
      this.#linger = setTimeout(() => this.#reset(message), lingerMs);
      this.#linger.unref();
    }
  }

  #reset(message: string): void {
    this.#lost = true;
    if (!this.destroyed) this.destroy(new ConnectionReset(message));
  }

  override _read(): void {
    this.#carrier.resume();
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#idle?.refresh();
    if (this.#lost) return done();
    let at = 0;
    const next = (error?: Error | null): void => {
      if (error || at >= chunk.length) return done(error);
      const data = chunk.subarray(at, at + maxFrameBytes);
      at += data.length;
      this.#carrier.send({ data }, next);
    };
    next();
  }
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const pieces = chunks.map((c) => c.chunk);
    this._write(pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces), 'binary', done);
  }
  override _final(done: (error?: Error | null) => void): void {
    this.#endSent = true;
    if (this.#lost) done();
    else this.#carrier.send({ end: {} }, done);
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#linger);
    const clean = this.#endSent && this.#endReceived;
    if (!clean && !this.#lost) this.#carrier.send({ reset: { message: error?.message ?? '' } }, () => undefined);
    this.#lost = true;
    this.#carrier.finish();
    // What is still under way is of no interest, but must not hold the stream open.
    this.#carrier.resume();
    done(error);
  }

  // What HTTP asks of sockets.
  setTimeout(delayMs: number, onTimeout?: () => void): this {
    clearTimeout(this.#idle);
    if (onTimeout !== undefined) this.once('timeout', onTimeout);
    if (delayMs > 0) {
      this.#idle = setTimeout(() => this.emit('timeout'), delayMs);
      this.#idle.unref();
    }
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}
