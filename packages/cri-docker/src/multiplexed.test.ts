import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { createFrameParser, demultiplex } from './multiplexed.ts';

const frame = (stream: number, payload: string): Buffer => {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(payload), 4);
  return Buffer.concat([header, Buffer.from(payload)]);
};

describe('multiplexed streams', () => {
  const bytes = Buffer.concat([frame(1, 'one\n'), frame(2, 'two\n'), frame(1, ''), frame(1, 'drei ü\n')]);

  it.each([1, 2, 3, 7, 8, 9, 100])('parses chunks of %i bytes', (size) => {
    const parse = createFrameParser();
    const frames = [];
    for (let i = 0; i < bytes.length; i += size) frames.push(...parse(bytes.subarray(i, i + size)));
    expect(frames.map((f) => `${f.stream}:${f.payload.toString()}`)).toEqual([
      'stdout:one\n',
      'stderr:two\n',
      'stdout:',
      'stdout:drei ü\n',
    ]);
  });

  it('keeps the streams apart', async () => {
    const source = new PassThrough();
    const { stdout, stderr } = demultiplex(source);
    source.end(bytes);
    expect(await Promise.all([text(stdout), text(stderr)])).toEqual(['one\ndrei ü\n', 'two\n']);
  });
});
