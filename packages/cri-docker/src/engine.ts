import http from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import { RuntimeError } from '@skiff/cri';
import { asRuntimeError } from './engine-error.ts';
import { boundRequests, describeRequest, noAnswer } from './engine-requests.ts';

/** The newest Engine API that this package was tried with. */
const newestTestedApi = '1.51';

export interface EngineVersion {
  readonly version: string;
  readonly apiVersion: string;
  readonly architecture: string;
}

/**
 * A connection to one Docker Engine: the API version is agreed on at the first call (and again after the engine was away), which
 * dockerode does not do. Requests share keep-alive connections on the unix socket.
 */
export interface Engine {
  readonly socketPath: string;
  docker(): Promise<Docker>;
  version(): Promise<EngineVersion>;
  /** A request whose answer is read as a stream: for logs, pulls and events. `patient`: however long the answer takes to begin. */
  stream(o: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly query?: Readonly<Record<string, string>>;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: Buffer;
    readonly signal?: AbortSignal;
    readonly patient?: boolean;
  }): Promise<Readable>;
  /** A request that takes over its connection: for exec and attach. `signal` counts until it has. */
  hijack(o: {
    readonly path: string;
    readonly query?: Readonly<Record<string, string>>;
    readonly body?: unknown;
    readonly signal?: AbortSignal;
  }): Promise<Duplex>;
  close(): void;
}

const compareVersions = (a: string, b: string): number => {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor - bMajor || aMinor - bMinor;
};

/** min(engine, tested). */
export const negotiateApiVersion = (engineApi: string): string =>
  compareVersions(engineApi, newestTestedApi) <= 0 ? engineApi : newestTestedApi;

/**
 * Connections are kept. docker-modem renders all options of each request for a debug log that nobody reads; with an agent's
 * sockets and buffers in them that is the most expensive thing this process would do, so the agent shows nothing of itself.
 */
export function createAgent(): http.Agent {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64, maxFreeSockets: 16 });
  return Object.defineProperty(agent, inspect.custom, { value: () => '[http.Agent]' });
}

/** `requestTimeoutMs`: how long the engine may take to answer, or to begin to where the answer is a stream. */
export function createEngine(config: { readonly socketPath: string; readonly requestTimeoutMs: number }): Engine {
  const agent = createAgent();
  let agreed: Promise<{ docker: Docker; version: EngineVersion }> | undefined;

  // docker-modem takes an agent, its types don't know.
  const connect = (version?: string): Docker =>
    boundRequests(
      new Docker({ socketPath: config.socketPath, agent, ...(version === undefined ? {} : { version }) } as Docker.DockerOptions),
      config.requestTimeoutMs,
    );
  const agree = async (): Promise<{ docker: Docker; version: EngineVersion }> => {
    const plain = connect();
    const v = await plain.version();
    const apiVersion = negotiateApiVersion(v.ApiVersion);
    return {
      docker: connect(`v${apiVersion}`),
      version: { version: v.Version, apiVersion, architecture: v.Arch },
    };
  };
  const ready = (): Promise<{ docker: Docker; version: EngineVersion }> => {
    agreed ??= agree().catch((error: unknown) => {
      agreed = undefined;
      throw asRuntimeError(error);
    });
    return agreed;
  };
  const pathOf = async (path: string, query: Readonly<Record<string, string>> = {}): Promise<string> =>
    `/v${(await ready()).version.apiVersion}${path}${Object.keys(query).length === 0 ? '' : `?${new URLSearchParams(query).toString()}`}`;

  const limit = (request: http.ClientRequest): void => {
    const late = (): void => void request.destroy(noAnswer(describeRequest(request.method, request.path), config.requestTimeoutMs));
    const timer = setTimeout(late, config.requestTimeoutMs);
    for (const end of ['response', 'upgrade', 'error', 'close']) request.once(end, () => clearTimeout(timer));
  };

  const readError = async (response: http.IncomingMessage): Promise<Error> => {
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    let json: unknown;
    try {
      json = JSON.parse(body);
    } catch {
      json = { message: body.trim() };
    }
    return Object.assign(new Error(`HTTP ${response.statusCode ?? 0}`), { statusCode: response.statusCode, json });
  };

  return {
    socketPath: config.socketPath,
    docker: async () => (await ready()).docker,
    version: async () => (await ready()).version,
    stream: async (o) => {
      const path = await pathOf(o.path, o.query);
      return new Promise<Readable>((resolve, reject) => {
        // Not on the shared agent: the connection is busy for as long as the stream is read.
        const request = http.request({
          socketPath: config.socketPath,
          agent: false,
          method: o.method,
          path,
          headers: { Host: 'docker', ...o.headers, ...(o.body === undefined ? {} : { 'Content-Length': o.body.length }) },
          ...(o.signal === undefined ? {} : { signal: o.signal }),
        });
        if (o.patient !== true) limit(request);
        request.once('error', (error) => reject(asRuntimeError(error)));
        request.once('response', (response) => {
          if ((response.statusCode ?? 500) < 300) resolve(response);
          else readError(response).then((error) => reject(asRuntimeError(error)), reject);
        });
        request.end(o.body);
      });
    },
    hijack: async (o) => {
      const path = await pathOf(o.path, o.query);
      const body = o.body === undefined ? '' : JSON.stringify(o.body);
      return new Promise<Duplex>((resolve, reject) => {
        const request = http.request({
          socketPath: config.socketPath,
          agent: false,
          method: 'POST',
          path,
          headers: {
            Host: 'docker',
            Connection: 'Upgrade',
            Upgrade: 'tcp',
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(body),
          },
        });
        limit(request);
        const abort = (): void => void request.destroy(o.signal?.reason as Error);
        o.signal?.addEventListener('abort', abort, { once: true });
        if (o.signal?.aborted === true) abort();
        request.once('close', () => o.signal?.removeEventListener('abort', abort));
        request.once('error', (error) => reject(asRuntimeError(error)));
        request.once('upgrade', (_response, socket, head) => {
          o.signal?.removeEventListener('abort', abort);
          if (head.length > 0) socket.unshift(head);
          resolve(socket);
        });
        request.once('response', (response) => {
          readError(response).then(
            (error) =>
              reject(
                (response.statusCode ?? 500) < 300 ? new RuntimeError('internal', 'the engine did not upgrade') : asRuntimeError(error),
              ),
            reject,
          );
        });
        request.end(body);
      });
    },
    close: () => agent.destroy(),
  };
}
