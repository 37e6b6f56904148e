import type { Clock } from '@skiff/component-base';
import type { ClientConfig } from './client-config.ts';
import { RequestError } from './contract.ts';
import { connectHttp2, credentialStamp, type Http2Connection, type HttpRequest, type HttpResponse } from './http2-connection.ts';

/** How often the files are looked at, by requests that are made anyway. */
const credentialCheckMs = 2_000;

export type Send = (request: HttpRequest) => Promise<HttpResponse>;
export type Middleware = (next: Send) => Send;

export interface Transport {
  readonly send: Send;
  close(): void;
}

/**
 * Sessions to the configured servers. One server is kept to until a connection to it fails; then the next is tried, each once
 * for a request. A session is opened when none is there or all are full.
 */
export function createTransport(config: ClientConfig, clock: Clock): Transport {
  if (config.servers.length === 0) throw new TypeError('no server is configured');
  let current = 0;
  let connections: Http2Connection[] = [];
  let opening: Promise<Http2Connection> | undefined;
  let nextLookMs = 0;

  const open = async (): Promise<Http2Connection> => {
    let failure: unknown;
    for (let tried = 0; tried < config.servers.length; tried++) {
      const server = config.servers[current] ?? '';
      try {
        const connection = await connectHttp2(server, config, clock);
        connections.push(connection);
        return connection;
      } catch (error) {
        failure = error;
        current = (current + 1) % config.servers.length;
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
      return await connection.send(basePath(connection.server, request));
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
