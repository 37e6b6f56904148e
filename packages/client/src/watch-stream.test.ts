import { describe, expect, it } from 'vitest';
import { splitLines } from './watch-stream.ts';

async function* chunked(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

describe('splitLines', () => {
  const text = '{"a":"é"}\n\n{"b":"𝄞 longer"}\n{"c":1}\n';
  it.each([1, 2, 3, 5, 7, 1000])('puts lines together from chunks of %i bytes', async (size) => {
    const lines: string[] = [];
    for await (const line of splitLines(chunked(text, size))) lines.push(line);
    expect(lines).toEqual(['{"a":"é"}', '{"b":"𝄞 longer"}', '{"c":1}']);
  });
  it('drops a line that was cut off', async () => {
    const lines: string[] = [];
    for await (const line of splitLines(chunked('{"a":1}\n{"b"', 4))) lines.push(line);
    expect(lines).toEqual(['{"a":1}']);
  });
});
