import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openInside } from '../host/safe-tree.ts';
import { HttpError, type Exchange } from './routes.ts';

/** Go's file server has these characters as entities. */
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] ?? c);

const notFound = (): HttpError => new HttpError(404, '404 page not found');

/** One range of bytes, inclusive; undefined: the whole file. Throws 416 where there is nothing. */
export function parseRange(header: string | undefined, size: number): { readonly start: number; readonly end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const [first, last] = [match[1] ?? '', match[2] ?? ''];
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (start > end) throw new HttpError(416, 'invalid range: failed to overlap');
  return { start, end };
}

const compressed = /\.(gz|xz|zst|bz2|journal)$/;

/** GET /logs/<name>: a file or a directory of the node's logs. Links are not followed, wherever they lead. */
export async function serveNodeLog(x: Exchange, directory: string, name: string): Promise<void> {
  const { request, response } = x;
  const found = await openInside(directory, name);
  if (found === undefined) throw notFound();
  if ('directory' in found) {
    if (name !== '' && !name.endsWith('/')) {
      response.writeHead(301, { Location: `${encodeURIComponent(path.basename(name))}/` }).end();
      return;
    }
    const lines = found.directory
      .map((e) => `${e.name}${e.isDirectory ? '/' : ''}`)
      .sort()
      .map((n) => `<a href="${escapeHtml(encodeURIComponent(n).replaceAll('%2F', '/'))}">${escapeHtml(n)}</a>`);
    const page = `<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n${lines.map((l) => `${l}\n`).join('')}</pre>\n`;
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page);
    return;
  }
  await using file = found.file;
  if (name.endsWith('/')) throw notFound();
  const range = parseRange(request.headers.range, found.size);
  const { start, end } = range ?? { start: 0, end: found.size - 1 };
  response.writeHead(range === undefined ? 200 : 206, {
    'Content-Type': compressed.test(name) ? 'application/octet-stream' : 'text/plain; charset=utf-8',
    'Content-Length': end - start + 1,
    'Accept-Ranges': 'bytes',
    ...(range === undefined ? {} : { 'Content-Range': `bytes ${start}-${end}/${found.size}` }),
  });
  if (request.method === 'HEAD' || end < start) {
    response.end();
    return;
  }
  try {
    await pipeline(file.createReadStream({ start, end, autoClose: false }), response);
  } catch (error) {
    // The client went away; what it has is all it wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
