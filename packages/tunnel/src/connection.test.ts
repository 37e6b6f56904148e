import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { TunnelConnection } from './connection.ts';
import type { Frame } from './messages.ts';

/** A connection whose carrier notes what it is told. */
function setUp() {
  const said: string[] = [];
  const waiting: (() => void)[] = [];
  const options = { holdWrites: false };
  const connection = new TunnelConnection({
    send: (frame: Frame, sent) => {
      said.push(frame.data ? `data ${frame.data.toString()}` : frame.end ? 'end' : `reset ${frame.reset?.message}`);
      if (options.holdWrites) waiting.push(() => sent());
      else sent();
    },
    pause: () => said.push('pause'),
    resume: () => undefined,
    finish: () => said.push('finish'),
  });
  const errors: string[] = [];
  connection.on('error', (error) => errors.push(error.message));
  return { connection, said, waiting, options, errors };
}
const data = (text: string): Frame => ({ data: Buffer.from(text) });

describe('a connection in a tunnel', () => {
  it('stays half open: the peer may go on after our end', async () => {
    const { connection, said, errors } = setUp();
    connection.end('question');
    await turn();
    expect(said).toEqual(['data question', 'end']);
    connection.receive(data('answer'));
    connection.receive({ end: {} });
    expect(Buffer.concat(await connection.toArray()).toString()).toBe('answer');
    await turn();
    expect([said.at(-1), connection.destroyed, errors]).toEqual(['finish', true, []]);
  });
  it('stays half open the other way round', async () => {
    const { connection, said } = setUp();
    connection.resume();
    connection.receive({ end: {} });
    await turn();
    expect(connection.destroyed).toBe(false);
    connection.end('late');
    await turn();
    expect(said).toEqual(['data late', 'end', 'finish']);
  });
  it('tells the peer when it is destroyed', async () => {
    const { connection, said } = setUp();
    connection.destroy();
    await turn();
    expect(said).toEqual(['reset ', 'finish']);
  });
  it("is reset by the peer's reset, and does not answer it with one", async () => {
    const { connection, said, errors } = setUp();
    connection.receive({ reset: { message: 'no such process' } });
    await turn();
    expect([errors, said, connection.destroyed]).toEqual([['no such process'], ['finish'], true]);
  });
  it('is reset when the stream ends too early', async () => {
    const { connection, errors } = setUp();
    connection.resume();
    connection.carrierClosed();
    await turn();
    expect([errors, connection.destroyed]).toEqual([['the tunnel is gone'], true]);
  });
  it('gives a slow reader all that came before a peer ended and went away', async () => {
    const { connection, errors, said } = setUp();
    connection.receive({ data: Buffer.alloc(200_000) });
    connection.receive(data('last'));
    connection.receive({ end: {} });
    connection.receive({ reset: { message: '' } });
    connection.carrierClosed();
    await turn();
    expect(connection.destroyed).toBe(false);
    connection.write('nobody hears this');
    const chunks: Buffer[] = [];
    connection.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(connection, 'end');
    const all = Buffer.concat(chunks);
    expect([all.length, all.subarray(-4).toString()]).toEqual([200_004, 'last']);
    connection.end();
    await turn();
    expect([errors, connection.destroyed, said.filter((s) => s.startsWith('data'))]).toEqual([[], true, []]);
  });
  it('does not wait for ever for the user of a connection whose peer is gone', () => {
    vi.useFakeTimers();
    try {
      const { connection } = setUp();
      connection.receive({ end: {} });
      connection.carrierClosed();
      vi.advanceTimersByTime(29_000);
      expect(connection.destroyed).toBe(false);
      vi.advanceTimersByTime(1_000);
      expect(connection.destroyed).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });
  it('holds the peer back while nobody reads, and writes while the carrier is full', async () => {
    const { connection, said, options, waiting } = setUp();
    connection.receive({ data: Buffer.alloc(200_000) });
    expect(said).toEqual(['pause']);
    options.holdWrites = true;
    expect(connection.write(Buffer.alloc(200_000, 'a'))).toBe(false);
    await turn();
    expect(connection.writableNeedDrain).toBe(true);
    const drained = new Promise<void>((resolve) => connection.once('drain', resolve));
    waiting.shift()?.();
    await drained;
  });
  it('cuts large writes into frames', async () => {
    const { connection, said } = setUp();
    connection.write(Buffer.alloc(600_000, 'a'));
    await turn();
    expect(said.map((s) => s.length - 'data '.length)).toEqual([262_144, 262_144, 75_712]);
  });
});
