import { maxMessageBytes } from './messages.ts';

/** A message that gRPC would not send: compressed, or longer than agreed. */
export class FramingError extends Error {}

const prefixBytes = 5;

/** What gRPC puts before each message: no compression, and its length. */
export function messagePrefix(length: number): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(length, 1);
  return prefix;
}

/** Takes a gRPC stream in pieces of any size and returns the messages that are complete. Throws FramingError. */
export function createMessageReader(): (chunk: Buffer) => Buffer[] {
  let pieces: Buffer[] = [];
  let bytes = 0;
  /** Of the message whose prefix is there; undefined before. */
  let wanted: number | undefined;
  const take = (count: number): Buffer => {
    const all = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces, bytes);
    pieces = all.length > count ? [all.subarray(count)] : [];
    bytes -= count;
    return all.subarray(0, count);
  };
  return (chunk) => {
    const messages: Buffer[] = [];
    pieces.push(chunk);
    bytes += chunk.length;
    for (;;) {
      if (wanted === undefined) {
        if (bytes < prefixBytes) return messages;
        const prefix = take(prefixBytes);
        if (prefix[0] !== 0) throw new FramingError('compressed messages are not taken');
        wanted = prefix.readUInt32BE(1);
        if (wanted > maxMessageBytes) throw new FramingError(`a message of ${wanted} bytes is too large`);
      }
      if (bytes < wanted) return messages;
      messages.push(wanted === 0 ? Buffer.alloc(0) : take(wanted));
      wanted = undefined;
    }
  };
}
