import type { WatchSink } from '../contract.ts';
import type { Exchange } from './exchange.ts';
import { destroyResponse, drained, responseClosed } from './respond.ts';
import type { UnsentBytes } from './unsent.ts';

/**
 * Starts a watch's answer: status 200 and headers go out at once. Frames written within one turn of the event loop leave in one
 * write. The account in `unsent` is closed with the response.
 */
export function openWatchStream(x: Exchange, contentType: string, unsent: UnsentBytes): WatchSink {
  const response = x.response;
  response.setHeader('content-type', contentType);
  response.writeHead(200);
  if ('flushHeaders' in response) response.flushHeaders();
  // The stream behind an HTTP/2 response is written to directly: its writableLength counts what flow control holds back.
  const writable = 'stream' in response ? response.stream : response;
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
      if (!corked) {
        corked = true;
        writable.cork();
        process.nextTick(uncork);
      }
      writable.write(frame);
      const pending = writable.writableLength;
      if (pending > 64 * 1024 || accounted > 0) {
        accounted = pending > 64 * 1024 ? pending : 0;
        account.update(accounted);
      }
      return pending;
    },
    drained: async (unsentBytes) => {
      while (!closed() && writable.writableLength >= Math.max(unsentBytes, 1)) await drained(response);
    },
    end: () => {
      if (!closed()) response.end();
    },
    destroy: () => {
      if (!closed()) destroyResponse(response);
    },
  };
}
