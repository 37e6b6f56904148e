const prefixBytes = 5;

/** Cuts a stream of gRPC's length-prefixed messages into messages. */
export class MessageCutter {
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Bytes that must be there before another look is worth it. */
  #wanted = prefixBytes;

  /** True: nothing of a message is left over. */
  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** The messages that `piece` completes: views, of the piece itself where it holds them whole. */
  push(piece: Buffer): Buffer[] {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#wanted) return [];
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces, this.#bytes);
    const messages: Buffer[] = [];
    let at = 0;
    this.#wanted = prefixBytes;
    while (bytes.length - at >= prefixBytes) {
      const end = at + prefixBytes + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) {
        this.#wanted = end - at;
        break;
      }
      messages.push(bytes.subarray(at + prefixBytes, end));
      at = end;
    }
    this.#bytes = bytes.length - at;
    this.#pieces = this.#bytes === 0 ? [] : [bytes.subarray(at)];
    return messages;
  }
}
