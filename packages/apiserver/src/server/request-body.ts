import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { badRequest, StatusError } from '@skiff/apimachinery';
import { header, type HttpRequest } from './exchange.ts';

const gunzipAsync = promisify(gunzip);

const tooLarge = (limitBytes: number): StatusError =>
  new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${limitBytes}`);

export const noBody: Buffer = Buffer.alloc(0);
export const hasNoBody = (request: HttpRequest): boolean => request.method === 'GET' || request.method === 'HEAD';

/**
 * The whole body, decompressed, at most `limitBytes` long either way. Throws RequestEntityTooLarge without reading on, and
 * BadRequest when the client breaks off or sends broken gzip.
 */
export async function readBody(request: HttpRequest, limitBytes: number): Promise<Buffer> {
  if (Number(header(request, 'content-length')) > limitBytes) throw tooLarge(limitBytes);
  const raw = await collect(request, limitBytes);
  const encoding = header(request, 'content-encoding').toLowerCase();
  if (encoding === '' || encoding === 'identity' || raw.length === 0) return raw;
  if (encoding !== 'gzip')
    throw new StatusError('UnsupportedMediaType', `content encoding ${JSON.stringify(encoding)} is not supported: use gzip or none`);
  try {
    return await gunzipAsync(raw, { maxOutputLength: limitBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limitBytes);
    throw badRequest(`the gzip body could not be read: ${(error as Error).message}`);
  }
}

function collect(request: HttpRequest, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    request.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes <= limitBytes) pieces.push(piece);
      else {
        request.pause();
        reject(tooLarge(limitBytes));
      }
    });
    const broken = (): void => reject(badRequest('the client closed the connection before the request body was complete'));
    request.once('end', () => {
      // Every request is closed in the end; an error with its stack is too dear to be made for nothing.
      request.off('close', broken);
      resolve(pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces));
    });
    request.once('aborted', broken);
    request.once('error', broken);
    request.once('close', broken);
  });
}
