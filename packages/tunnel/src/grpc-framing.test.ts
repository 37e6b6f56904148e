import { describe, expect, it } from 'vitest';
import { createMessageReader, FramingError, messagePrefix } from './grpc-framing.ts';
import { maxMessageBytes } from './messages.ts';

const messages = [Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(5000, 'z')];
const stream = Buffer.concat(messages.flatMap((m) => [messagePrefix(m.length), m]));

describe('gRPC framing', () => {
  it.each([1, 4, 5, 7, 1000, stream.length])('finds messages in pieces of %d bytes', (size) => {
    const read = createMessageReader();
    const found: Buffer[] = [];
    for (let at = 0; at < stream.length; at += size) found.push(...read(stream.subarray(at, at + size)));
    expect(found).toEqual(messages);
  });
  it('refuses a message that is longer than agreed, before it comes', () => {
    expect(() => createMessageReader()(messagePrefix(maxMessageBytes + 1))).toThrow(FramingError);
  });
  it('refuses compressed ones', () => {
    const prefix = messagePrefix(1);
    prefix[0] = 1;
    expect(() => createMessageReader()(prefix)).toThrow(FramingError);
  });
});
