/** A body that is no valid protobuf. */
export class ProtobufError extends Error {}

/** Reads protobuf's wire format. Throws ProtobufError on anything cut off or malformed. */
export class ProtobufReader {
  readonly #bytes: Buffer;
  #at = 0;
  readonly #end: number;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  varint(): bigint {
    let low = 0;
    let shift = 0;
    // Most numbers are small: only long ones pay for big integers.
    for (; shift < 28; shift += 7) {
      const byte = this.#byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(low >>> 0);
    }
    let value = BigInt(low >>> 0);
    for (let wide = 28n; wide < 70n; wide += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << wide;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtobufError('proto: integer overflow');
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.varint());
  }

  /** Field number and wire type. */
  tag(): { readonly number: number; readonly wire: number } {
    const tag = Number(this.varint());
    const number = Math.floor(tag / 8);
    if (number < 1) throw new ProtobufError(`proto: illegal tag ${number}`);
    return { number, wire: tag & 7 };
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
    const value = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  skip(wire: number): void {
    switch (wire) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#need(8);
        this.#at += 8;
        return;
      case 2:
        this.bytes();
        return;
      case 5:
        this.#need(4);
        this.#at += 4;
        return;
      default:
        throw new ProtobufError(`proto: illegal wireType ${wire}`);
    }
  }

  #byte(): number {
    this.#need(1);
    return this.#bytes[this.#at++] ?? 0;
  }

  #need(count: number): void {
    if (!(count >= 0) || this.#at + count > this.#end) throw new ProtobufError('unexpected EOF');
  }
}
