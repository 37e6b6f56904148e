import type { Socket } from 'node:net';
import type { WatchSink } from '../contract.ts';
import type { Exchange } from './exchange.ts';
import { destroyResponse, drained, responseClosed } from './respond.ts';
import type { UnsentBytes } from './unsent.ts';

const lineBreak = Buffer.from('\r\n');
let lastFramed: { frame: Buffer; chunk: Buffer } | undefined;

/** A frame as an HTTP/1.1 chunk. The same frame goes to one watcher after the other: it is framed once. */
function chunkOf(frame: Buffer): Buffer {
  if (lastFramed?.frame !== frame)
    lastFramed = { frame, chunk: Buffer.concat([Buffer.from(`${frame.length.toString(16)}\r\n`, 'latin1'), frame, lineBreak]) };
  return lastFramed.chunk;
}

/** Resolves when the socket takes more, or is closed. */
function socketDrained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed || !socket.writableNeedDrain) return resolve();
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.once('drain', done).once('close', done);
  });
}

/**
 * Starts a watch's answer: status 200 and headers go out at once. Frames written within one turn of the event loop leave in one
 * write; over HTTP/1.1 each leaves at once, past the layers that would frame it again for each watcher. The account in `unsent` is
 * closed with the response.
 */
export function openWatchStream(x: Exchange, contentType: string, unsent: UnsentBytes): WatchSink {
  const response = x.response;
  response.setHeader('content-type', contentType);
  response.writeHead(200);
  if ('flushHeaders' in response) response.flushHeaders();
  const socket = !('stream' in response) && response.chunkedEncoding ? response.socket : null;
  // The stream behind an HTTP/2 response is written to directly: its writableLength counts what flow control holds back.
  const writable = socket ?? ('stream' in response ? response.stream : response);
  const account = unsent.open(() => destroyResponse(response));
  response.once('close', () => account[Symbol.dispose]());
  let corked = false;
  let accounted = 0;
  const uncork = (): void => {
    corked = false;
    writable.uncork();
  };
  const closed = (): boolean => responseClosed(response);
  return {
    write: (frame) => {
      if (closed()) return 0;
      if (socket !== null) socket.write(chunkOf(frame));
      else {
        if (!corked) {
          corked = true;
          writable.cork();
          process.nextTick(uncork);
        }
        writable.write(frame);
      }
      const pending = writable.writableLength;
      if (pending > 64 * 1024 || accounted > 0) {
        accounted = pending > 64 * 1024 ? pending : 0;
        account.update(accounted);
      }
      return pending;
    },
    drained: async (unsentBytes) => {
      while (!closed() && writable.writableLength >= Math.max(unsentBytes, 1))
        await (socket === null ? drained(response) : socketDrained(socket));
    },
    end: () => {
      if (!closed()) response.end();
    },
    destroy: () => {
      if (!closed()) destroyResponse(response);
    },
  };
}
