import type { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { createGzip, type Gzip, constants as zlib } from 'node:zlib';
import type { ApiResponse } from '../contract.ts';
import { header, type Exchange, type HttpResponse } from './exchange.ts';
import type { UnsentBytes } from './unsent.ts';

/** Bodies of at least this size are compressed for clients that accept it (upstream's threshold). */
const gzipMinimumBytes = 128 * 1024;
const pieceBytes = 1024 * 1024;
/** Bodies up to this size go out in one write. */
const singleWriteBytes = 64 * 1024;

/** Nothing can be written any more: ended, or the client is gone. */
export const responseClosed = (response: HttpResponse | Gzip): boolean =>
  response.writableEnded || ('stream' in response ? response.stream.destroyed : response.destroyed);

const acceptsGzip = (x: Exchange): boolean =>
  /(?:^|[,\s])gzip(?:\s*;\s*q=(?:1|0?\.\d*[1-9]))?\s*(?:,|$)/.test(header(x.request, 'accept-encoding'));

/** Bytes of the body where they are known. */
export function bodyBytes(r: ApiResponse): number | undefined {
  if (!Array.isArray(r.body)) return r.contentLength;
  let bytes = 0;
  for (const piece of r.body as readonly Buffer[]) bytes += piece.length;
  return bytes;
}

/**
 * Writes a whole answer. Small ones go out in one piece; of large ones the next piece is only pulled when the client has taken
 * the last. Resolves when the last byte is handed over or the client is gone; the latter is no error.
 */
export async function sendResponse(x: Exchange, r: ApiResponse, o: { compressible: boolean; unsent: UnsentBytes }): Promise<void> {
  const response = x.response;
  if (responseClosed(response)) return;
  const bytes = bodyBytes(r);
  for (const [name, value] of Object.entries(r.headers ?? {})) response.setHeader(name, value);
  if (r.contentType !== '') response.setHeader('content-type', r.contentType);
  response.statusCode = r.code;
  if (o.compressible && r.code === 200 && (bytes ?? Infinity) > gzipMinimumBytes && acceptsGzip(x)) {
    response.setHeader('content-encoding', 'gzip');
    response.setHeader('vary', 'Accept-Encoding');
    await sendPieces(response, gzipPieces(r.body), o.unsent);
    return;
  }
  if (bytes !== undefined && r.code !== 304 && r.code !== 204) response.setHeader('content-length', String(bytes));
  if (x.request.method === 'HEAD' || bytes === 0) response.end();
  else if (bytes !== undefined && bytes <= singleWriteBytes) {
    const pieces = [...r.body];
    response.end(pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces));
  } else await sendPieces(response, boundedPieces(r.body), o.unsent);
}

function* boundedPieces(body: Iterable<Buffer>): Generator<Buffer> {
  for (const piece of body) {
    if (piece.length <= pieceBytes * 1.25) yield piece;
    else for (let at = 0; at < piece.length; at += pieceBytes) yield piece.subarray(at, at + pieceBytes);
  }
}

async function* gzipPieces(body: Iterable<Buffer>): AsyncGenerator<Buffer> {
  const gzip = createGzip({ level: zlib.Z_BEST_SPEED });
  const feed = async (): Promise<void> => {
    for (const piece of boundedPieces(body)) {
      if (gzip.destroyed) return;
      if (!gzip.write(piece)) await drained(gzip);
    }
    gzip.end();
  };
  const feeding = feed().catch((error: Error) => void gzip.destroy(error));
  try {
    for await (const piece of gzip) yield piece as Buffer;
    await feeding;
  } finally {
    gzip.destroy();
  }
}

async function sendPieces(response: HttpResponse, pieces: Iterable<Buffer> | AsyncIterable<Buffer>, unsent: UnsentBytes): Promise<void> {
  using account = unsent.open(() => destroyResponse(response));
  for await (const piece of pieces) {
    if (responseClosed(response)) return;
    if (writePiece(response, piece)) {
      await turn();
      continue;
    }
    account.update(piece.length);
    await drained(response);
    account.update(0);
  }
  if (!responseClosed(response)) response.end();
}

const writePiece = (response: HttpResponse, piece: Buffer): boolean =>
  'stream' in response ? response.write(piece) : response.write(piece);

/** Resolves when the response takes more, or is closed. */
export function drained(response: HttpResponse | Gzip): Promise<void> {
  return new Promise((resolve) => {
    if (responseClosed(response)) return resolve();
    const done = (): void => {
      (response as Writable).off('drain', done).off('close', done);
      resolve();
    };
    (response as Writable).once('drain', done).once('close', done);
  });
}

/** Ends an answer that can't be finished: RST_STREAM on HTTP/2, a closed connection on HTTP/1.1. */
export function destroyResponse(response: HttpResponse): void {
  if ('stream' in response) response.stream.close(0x8 /* CANCEL */);
  else response.destroy();
}
