import { openInside } from '../host/safe-tree.ts';
import { serveNodeLog } from './node-logs.ts';
import {
  copyJournal,
  hasOptions,
  journalArguments,
  journalServices,
  type NodeLogQuery,
  NodeLogQueryError,
  parseNodeLogQuery,
} from './node-log-query.ts';
import { type Exchange, HttpError } from './routes.ts';

export interface NodeLogAccess {
  readonly directory: string;
  /** enableSystemLogHandler. */
  readonly files: boolean;
  /** enableSystemLogQuery. */
  readonly query: boolean;
}

/** Services that don't write into the journal may have a file of their own. */
async function fileOf(directory: string, service: string): Promise<string | undefined> {
  for (const name of [`${service}.log`, service, `${service}/${service}.log`]) {
    const found = await openInside(directory, name);
    if (found === undefined || 'directory' in found) continue;
    await found.file.close();
    return name;
  }
  return undefined;
}

async function serveServices(x: Exchange, q: NodeLogQuery, directory: string): Promise<void> {
  const native = await journalServices();
  const others = q.services.filter((s) => !native.has(s));
  const { response } = x;
  const head = { 'Content-Type': 'text/plain;charset=UTF-8' };
  if (others.length === 0) {
    response.writeHead(200, head);
    const failure = await copyJournal(journalArguments(q), response);
    response.end(failure === undefined ? '' : '\nerror: journal output not available\n');
    return;
  }
  if (hasOptions(q)) {
    const text = `\noptions present and query resolved to log files for [${others.join(' ')}]\ntry without specifying options\n`;
    response.writeHead(200, head).end(text);
    return;
  }
  const [service = ''] = others;
  const file = await fileOf(directory, service);
  if (file === undefined) response.writeHead(200, head).end(`\nlog not found for ${service}\n`);
  else await serveNodeLog(x, directory, file);
}

/** GET /logs/…: files of the node's log directory, and with `query` what services say. */
export async function serveNodeLogs(x: Exchange, access: NodeLogAccess, name: string): Promise<void> {
  if (!access.files) throw new HttpError(405, 'logs endpoint is disabled.');
  let query: NodeLogQuery | undefined;
  try {
    query = access.query ? parseNodeLogQuery(x.url.searchParams) : undefined;
  } catch (error) {
    if (error instanceof NodeLogQueryError) throw new HttpError(error.code, error.message);
    throw error;
  }
  if (query !== undefined && query.services.length > 0) return serveServices(x, query, access.directory);
  await serveNodeLog(x, access.directory, query?.files[0] ?? name);
}
