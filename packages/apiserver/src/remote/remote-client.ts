import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { RemoteServer } from './kubeconfig.ts';

/** A call that brought no usable answer. `code`: what the server answered, where it did. */
export class RemoteError extends Error {
  readonly code: number | undefined;
  constructor(message: string, code?: number) {
    super(message);
    this.code = code;
  }
}

export interface RemoteClient extends Disposable {
  /** Posts JSON; resolves with the answer's text. Never follows redirects. Throws RemoteError. */
  post(body: string, o: { timeoutMs: number; signal?: AbortSignal }): Promise<string>;
}

const maxAnswerBytes = 1024 * 1024;

/** Keeps connections to one server. Answers are bounded in size, calls in time. */
export function createRemoteClient(server: RemoteServer): RemoteClient {
  const secure = server.url.protocol === 'https:';
  const keep = { keepAlive: true, maxSockets: 32, maxFreeSockets: 4, timeout: 60_000 };
  const agent = secure
    ? new HttpsAgent({
        ...keep,
        ...(server.ca === undefined ? {} : { ca: server.ca }),
        ...(server.cert === undefined ? {} : { cert: server.cert }),
        ...(server.key === undefined ? {} : { key: server.key }),
        ...(server.serverName === undefined ? {} : { servername: server.serverName }),
        rejectUnauthorized: !server.insecure,
      })
    : new HttpAgent(keep);
  return {
    post: (body, o) =>
      new Promise((resolve, reject) => {
        const bytes = Buffer.from(body);
        const token = server.token();
        const options: RequestOptions = {
          agent,
          method: 'POST',
          headers: {
            accept: 'application/json',
            'content-type': 'application/json',
            'content-length': bytes.length,
            'user-agent': 'kube-apiserver',
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          },
        };
        const fail = (why: string, code?: number): void => {
          settle();
          reject(new RemoteError(`Post ${JSON.stringify(server.url.href)}: ${why}`, code));
        };
        const settle = (): void => {
          clearTimeout(timer);
          o.signal?.removeEventListener('abort', onAbort);
        };
        const onAbort = (): void => void sent.destroy(new Error('context canceled'));
        const sent = (secure ? httpsRequest : httpRequest)(server.url, options, (response) => {
          const pieces: Buffer[] = [];
          let size = 0;
          response.on('data', (piece: Buffer) => {
            size += piece.length;
            if (size > maxAnswerBytes) response.destroy(new Error('the answer is too large'));
            else pieces.push(piece);
          });
          response.once('error', (error) => fail(error.message));
          response.once('end', () => {
            const answer = Buffer.concat(pieces).toString('utf8');
            const code = response.statusCode ?? 0;
            if (code < 200 || code > 299) return fail(`the server answered with code ${code}: ${answer.slice(0, 256)}`, code);
            settle();
            resolve(answer);
          });
        });
        const timer = setTimeout(() => sent.destroy(new Error('context deadline exceeded')), o.timeoutMs);
        o.signal?.addEventListener('abort', onAbort, { once: true });
        sent.once('error', (error) => fail(error.message));
        sent.end(bytes);
        if (o.signal?.aborted) onAbort();
      }),
    [Symbol.dispose]: () => agent.destroy(),
  };
}
