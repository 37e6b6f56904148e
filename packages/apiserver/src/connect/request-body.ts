import type { ClientRequest } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { HttpRequest } from '../server/exchange.ts';

/** Does a body come that nothing says the length of: chunked, or the data of an HTTP/2 stream? */
export function hasUnmeasuredBody(request: HttpRequest): boolean {
  if (request.headers['content-length'] !== undefined) return false;
  return 'stream' in request ? !request.stream.endAfterHeaders : request.headers['transfer-encoding'] !== undefined;
}

/**
 * Sends a request's body on, if there is one. Resolves when it is sent or can't be. Node frames no body of a GET, HEAD, DELETE
 * or OPTIONS by itself: the headers of `to` must, or the body would be the next request on the connection.
 */
export async function sendBody(from: HttpRequest, to: ClientRequest): Promise<void> {
  const measured = from.headers['content-length'];
  if (measured === undefined ? !hasUnmeasuredBody(from) : Number(measured) === 0) {
    to.end();
    return;
  }
  await pipeline(from, to).catch(() => undefined);
}
