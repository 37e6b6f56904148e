import type { Clock } from '@skiff/component-base';
import type { ClientConfig } from './client-config.ts';
import { RequestError } from './contract.ts';
import { connectHttp2, credentialStamp, type Http2Connection, type HttpRequest, type HttpResponse } from './http2-connection.ts';
import type { ServerPool } from './server-pool.ts';

/** How often the files are looked at, by requests that are made anyway. */
const credentialCheckMs = 2_000;

export type Send = (request: HttpRequest) => Promise<HttpResponse>;
export type Middleware = (next: Send) => Send;

export interface Transport {
  readonly send: Send;
  close(): void;
}

/** With others to turn to, a server that does not answer is soon given up. */
const connectTimeoutMs = { alone: 10_000, several: 3_000 };
/** A server that answers nothing but 5xx for this long, and this often, is left: it has lost its store, and another one may not have. */
const uselessAfterMs = 5_000;
const uselessAnswers = 3;

/**
 * Sessions to the servers of a pool. One server is kept to until a connection to it fails; then the next is tried, each once
 * for a request. A session is opened when none is there or all are full.
 */
export function createTransport(config: ClientConfig, deps: { clock: Clock; pool: ServerPool }): Transport {
  const { clock, pool } = deps;
  let connections: Http2Connection[] = [];
  let opening: Promise<Http2Connection> | undefined;
  let nextLookMs = 0;
  let useless: { answers: number; sinceMs: number } | undefined;

  const open = async (): Promise<Http2Connection> => {
    let failure: unknown;
    const tried = new Set<string>();
    for (;;) {
      const server = pool.pick(tried);
      if (server === undefined) break;
      tried.add(server);
      try {
        const timeoutMs = pool.servers.length > 1 ? connectTimeoutMs.several : connectTimeoutMs.alone;
        const connection = await connectHttp2(server, config, { clock, connectTimeoutMs: timeoutMs, lost: () => pool.failed(server) });
        pool.succeeded(server);
        connections.push(connection);
        useless = undefined;
        return connection;
      } catch (error) {
        failure = error;
        pool.failed(server);
      }
    }
    if (failure instanceof RequestError) throw failure;
    throw new RequestError(`cannot connect: ${failure instanceof Error ? failure.message : String(failure)}`, {
      cause: failure,
      maybeProcessed: false,
    });
  };

  /** Certificates in files are renewed by others: a connection made with an older one ends once what runs on it has ended. */
  const retireOld = (): void => {
    if (clock.monotonicMs() < nextLookMs) return;
    nextLookMs = clock.monotonicMs() + credentialCheckMs;
    const stamp = credentialStamp(config);
    for (const connection of connections) if (connection.credentialStamp !== stamp) connection.close();
  };

  /** Its watches are cut with it: they go on from another server. */
  const judge = (connection: Http2Connection, code: number): void => {
    if (code < 500) {
      useless = undefined;
      return;
    }
    useless ??= { answers: 0, sinceMs: clock.monotonicMs() };
    useless.answers += 1;
    const isUseless = useless.answers >= uselessAnswers && clock.monotonicMs() - useless.sinceMs >= uselessAfterMs;
    if (!isUseless || pool.servers.length < 2) return;
    useless = undefined;
    pool.failed(connection.server);
    for (const c of connections) if (c.server === connection.server) c.abandon('it answers with errors only');
  };

  const acquire = async (): Promise<Http2Connection> => {
    retireOld();
    connections = connections.filter((c) => !c.gone);
    const usable = connections.find((c) => c.usable);
    if (usable !== undefined) return usable;
    opening ??= open().finally(() => {
      opening = undefined;
    });
    return await opening;
  };

  return {
    send: async (request) => {
      request.signal?.throwIfAborted();
      const connection = await untilAborted(acquire(), request.signal);
      const response = await connection.send(basePath(connection.server, request));
      judge(connection, response.code);
      return response;
    },
    close: () => {
      for (const connection of connections) connection.close();
      connections = [];
    },
  };
}

/** A server URL may carry a path prefix. */
function basePath(server: string, request: HttpRequest): HttpRequest {
  const prefix = new URL(server).pathname.replace(/\/$/, '');
  return prefix === '' ? request : { ...request, path: prefix + request.path };
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  let onAbort = (): void => undefined;
  const stopped = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
