import { expect, it } from 'vitest';
import { encodeAnswer, encodeQuery, frameDecoder } from './dns-relay.ts';
import { encodeLine, lineDecoder } from './frames.ts';

it('lines come out whole however they were cut', () => {
  const messages = [{ a: 'ä\n' }, { b: [1, 2] }, { c: 'x'.repeat(1000) }];
  const bytes = Buffer.from(messages.map(encodeLine).join(''));
  for (const size of [1, 3, 7, bytes.length]) {
    const got: unknown[] = [];
    const decode = lineDecoder((m) => got.push(m));
    for (let i = 0; i < bytes.length; i += size) decode(bytes.subarray(i, i + size));
    expect(got).toEqual(messages);
  }
});

it('frames come out whole however they were cut', () => {
  const bytes = Buffer.concat([encodeQuery(7, '10.0.0.1', Buffer.from('question')), encodeAnswer(8, Buffer.from('answer'))]);
  for (const size of [1, 5, bytes.length]) {
    const got: Buffer[] = [];
    const decode = frameDecoder((body) => got.push(Buffer.from(body)));
    for (let i = 0; i < bytes.length; i += size) decode(Buffer.from(bytes.subarray(i, i + size)));
    expect(got.map((b) => b.readUInt32BE(0))).toEqual([7, 8]);
    const [query, answer] = got;
    expect(query?.toString('latin1', 5, 13)).toBe('10.0.0.1');
    expect(query?.subarray(13).toString()).toBe('question');
    expect(answer?.subarray(4).toString()).toBe('answer');
  }
});
