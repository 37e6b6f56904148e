/**
 * Writes the wire format of protobuf messages from their end to their beginning: a message's length is known when its head is
 * written, so nothing is measured beforehand and nothing is copied. Fields must come in falling order of their numbers.
 */
export class ProtobufWriter {
  #bytes: Buffer;
  /** Everything from here on is written. */
  #at: number;

  constructor(sizeHint = 4096) {
    this.#bytes = Buffer.allocUnsafe(sizeHint);
    this.#at = sizeHint;
  }

  /** Bytes written so far: note it before a message's fields to know their length afterwards. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** A copy of what is written; the writer is empty afterwards. */
  take(): Buffer {
    const out = Buffer.from(this.#bytes.subarray(this.#at));
    this.#at = this.#bytes.length;
    return out;
  }

  /** Forgets what is written. */
  discard(): void {
    this.#at = this.#bytes.length;
  }

  byte(value: number): void {
    this.#need(1);
    this.#bytes[--this.#at] = value;
  }

  /** A non-negative integer below 2^53. */
  varint(value: number): void {
    if (value < 0x80) return this.byte(value);
    let size = 1;
    for (let v = value; v >= 0x80; v = Math.floor(v / 0x80)) size += 1;
    this.#need(size);
    this.#at -= size;
    let at = this.#at;
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[at++] = (rest % 0x80) | 0x80;
    this.#bytes[at] = rest;
  }

  /** A signed 64-bit integer; negative ones take ten bytes. */
  int64(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0) return this.varint(value);
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
    for (let i = bytes.length - 1; i >= 0; i--) this.byte(bytes[i] as number);
  }

  double(value: number): void {
    this.#need(8);
    this.#at -= 8;
    this.#bytes.writeDoubleLE(value, this.#at);
  }

  /** Bytes with their length in front. */
  bytes(value: Uint8Array): void {
    this.#need(value.length);
    this.#at -= value.length;
    this.#bytes.set(value, this.#at);
    this.varint(value.length);
  }

  /** UTF-8 text with its length in front. */
  text(value: string): void {
    const { length } = value;
    // Names and the like: short and ASCII.
    if (length < 64) {
      this.#need(length);
      let at = this.#at;
      let i = length - 1;
      for (; i >= 0; i--) {
        const code = value.charCodeAt(i);
        if (code > 0x7f) break;
        this.#bytes[--at] = code;
      }
      if (i < 0) {
        this.#at = at;
        return this.byte(length);
      }
    }
    const size = Buffer.byteLength(value);
    this.#need(size);
    this.#at -= size;
    this.#bytes.write(value, this.#at, size, 'utf8');
    this.varint(size);
  }

  /** Closes a message whose fields were written since `length` was `before`: puts their length in front. */
  close(before: number): void {
    this.varint(this.length - before);
  }

  tag(number: number, wire: number): void {
    this.varint((number << 3) | wire);
  }

  #need(size: number): void {
    if (this.#at >= size) return;
    const used = this.length;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, used + size + 1024));
    this.#bytes.copy(grown, grown.length - used, this.#at);
    this.#at = grown.length - used;
    this.#bytes = grown;
  }
}
