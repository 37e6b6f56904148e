/** A body that is no protobuf message. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

/** Reads the wire format of one message: tags, varints, length-delimited fields. Never reads beyond its bytes. */
export class ProtobufReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  tag(): { number: number; wire: number } {
    const tag = Number(this.varint());
    if (tag >>> 3 === 0) throw new ProtobufError(`proto: illegal tag ${tag}`);
    return { number: tag >>> 3, wire: tag & 7 };
  }

  varint(): bigint {
    let low = 0;
    let shift = 0;
    // Up to 28 bits stay a plain number; longer ones go on as a bigint.
    for (; shift < 28; shift += 7) {
      const byte = this.#next();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(low >>> 0);
    }
    let value = BigInt(low >>> 0);
    for (; shift < 70; shift += 7) {
      const byte = this.#next();
      value |= BigInt(byte & 0x7f) << BigInt(shift);
      if (byte < 0x80) return value;
    }
    throw new ProtobufError('proto: integer overflow');
  }

  /** A signed 64-bit integer: a bigint where a double would lose digits. */
  int64(): number | bigint {
    const value = BigInt.asIntN(64, this.varint());
    const plain = Number(value);
    return Number.isSafeInteger(plain) ? plain : value;
  }

  double(): number {
    this.#need(8);
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  bytes(): Buffer {
    const length = Number(this.varint());
    this.#need(length);
    const slice = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return slice;
  }

  skip(wire: number): void {
    if (wire === 0) this.varint();
    else if (wire === 1) this.#advance(8);
    else if (wire === 2) this.bytes();
    else if (wire === 5) this.#advance(4);
    else throw new ProtobufError(`proto: illegal wireType ${wire}`);
  }

  #next(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new ProtobufError('unexpected EOF');
    this.#at += 1;
    return byte;
  }

  #need(count: number): void {
    if (this.#at + count > this.#bytes.length) throw new ProtobufError('unexpected EOF');
  }

  #advance(count: number): void {
    this.#need(count);
    this.#at += count;
  }
}
