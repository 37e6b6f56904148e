import { PassThrough } from 'node:stream';
import { type NodeMessage, type ServerMessage, TunnelConnection } from '@skiff/tunnel';
import type { ChannelConfig, StreamEnd, TunnelChannel } from '@skiff/tunnel/node';

/** One channel that was made, with the server's end of it in the hands of a test. */
export interface FakeChannel extends TunnelChannel {
  readonly config: ChannelConfig;
  /** What the node has said. */
  readonly said: NodeMessage[];
  /** Ids of the connections that it opened. */
  readonly connected: string[];
  readonly state: { cancelled: boolean; halfClosed: boolean; closed: boolean };
  say(message: ServerMessage): void;
  finish(end: StreamEnd): void;
}

export function createFakeChannel(config: ChannelConfig): FakeChannel {
  let on: Parameters<TunnelChannel['open']>[0] | undefined;
  const state = { cancelled: false, halfClosed: false, closed: false };
  const said: NodeMessage[] = [];
  const connected: string[] = [];
  let over = false;
  const finish = (end: StreamEnd): void => {
    if (over) return;
    over = true;
    on?.ended(end);
  };
  return {
    config,
    said,
    connected,
    state,
    say: (message) => on?.message(message),
    finish,
    open: (handlers) => {
      on = handlers;
      return {
        send: (message) => void said.push(message),
        end: () => {
          state.halfClosed = true;
          finish({ code: 0, message: '' });
        },
        cancel: () => {
          state.cancelled = true;
          finish({ code: 1, message: 'cancelled' });
        },
      };
    },
    connect: (dialId) => {
      connected.push(dialId);
      // What is written comes back.
      const loop = new PassThrough();
      const connection: TunnelConnection = new TunnelConnection({
        send: (frame, sent) => {
          if (frame.data) loop.write(frame.data);
          else loop.end();
          sent();
        },
        pause: () => loop.pause(),
        resume: () => loop.resume(),
        finish: () => undefined,
      });
      loop.on('data', (data: Buffer) => connection.receive({ data }));
      loop.on('end', () => connection.receive({ end: {} }));
      return connection;
    },
    drain: async (request) => ({ inService: true, openConnections: request.podName === 'busy' ? 1 : 0 }),
    close: () => {
      state.closed = true;
    },
  };
}
