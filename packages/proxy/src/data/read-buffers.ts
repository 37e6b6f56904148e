const smallBytes = 16 * 1024;
const largeBytes = 256 * 1024;
/** 64 MiB of large buffers at the most; connections beyond that stay with small ones. */
const largeLimit = 256;
const keptSmall = 512;
const keptLarge = 8;

/**
 * Buffers that sockets read into and that are written on from without a copy. A connection starts with a small one; when reads
 * keep filling it, bulk data is on its way and it gets a large one. Buffers are used again after the connection ends.
 */
class ReadBuffers {
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];
  #largeInUse = 0;

  small(): Buffer {
    return this.#small.pop() ?? Buffer.allocUnsafeSlow(smallBytes);
  }
  /** undefined when enough are in use. */
  large(): Buffer | undefined {
    if (this.#largeInUse >= largeLimit) return undefined;
    this.#largeInUse++;
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(largeBytes);
  }
  release(buffer: Buffer): void {
    if (buffer.length === largeBytes) {
      this.#largeInUse--;
      if (this.#large.length < keptLarge) this.#large.push(buffer);
    } else if (this.#small.length < keptSmall) this.#small.push(buffer);
  }
}

/** One for each serving process. */
export const createReadBuffers = (): ReadBuffers => new ReadBuffers();
export type { ReadBuffers };
