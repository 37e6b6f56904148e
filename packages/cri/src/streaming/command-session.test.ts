import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import type { ProcessStreams } from '../streams.ts';
import { type CommandSession, serveAttach } from './command-session.ts';

/** A client and a container that reads and never ends. */
function wires(): { session: CommandSession; streams: ProcessStreams; said: string[] } {
  const said: string[] = [];
  const session: CommandSession = {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: undefined,
    onResize: () => undefined,
    finish: async (status) => void said.push(status.status ?? ''),
    closed: new Promise(() => undefined),
    destroy: () => undefined,
  };
  const streams: ProcessStreams = {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    resize: async () => undefined,
    close: () => void said.push('closed'),
  };
  return { session, streams, said };
}

it('the end of input that others may go on with ends the connection, after all of it was handed on', async () => {
  const { session, streams, said } = wires();
  const served = serveAttach(session, async () => streams, false);
  (session.stdin as PassThrough).end('abcd');
  await served;
  expect(said).toEqual(['Success', 'closed']);
  expect((streams.stdin as PassThrough).read()?.toString()).toBe('abcd');
  expect(streams.stdin?.writableEnded).toBe(false);
});

it('the end of input that is for once is the container’s, whose output goes on', async () => {
  const { session, streams, said } = wires();
  const served = serveAttach(session, async () => streams, true);
  (session.stdin as PassThrough).end('abcd');
  let input = '';
  for await (const chunk of streams.stdin as PassThrough) input += String(chunk);
  expect(input).toBe('abcd');
  expect(said).toEqual([]);
  (streams.stdout as PassThrough).end('bye');
  await served;
  expect(said).toEqual(['Success', 'closed']);
});
