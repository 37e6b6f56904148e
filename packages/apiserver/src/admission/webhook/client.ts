import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { JsonObject } from '@skiff/apimachinery';
import { DialingAgent, type DialingOptions } from '../../connect/dialing-agent.ts';
import type { Dialer, Route } from '../../tunnel/dialer.ts';

/** Where a webhook is called. */
export interface WebhookTarget {
  /** As errors show it: `https://svc.ns.svc:443/path`. */
  readonly url: URL;
  /** The pod behind a Service; absent: the URL's own host. */
  readonly route: Route;
  /** The name that the server's certificate must have. */
  readonly serverName: string;
  /** PEM; absent: the system's authorities. */
  readonly ca: string | undefined;
}

/** A call that brought no usable answer. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';
}

export interface WebhookClient {
  /** Posts a review and returns the answer's JSON. Never follows redirects. Throws WebhookError. */
  post(target: WebhookTarget, body: JsonObject, o: { timeoutMs: number; signal: AbortSignal }): Promise<unknown>;
}

/** What carries calls. */
export interface WebhookTransport {
  /** Posts JSON text and returns that of an answer with a good code. Throws WebhookError. */
  send(target: WebhookTarget, text: Uint8Array, o: { timeoutMs: number; signal: AbortSignal }): Promise<Uint8Array>;
  close(): void;
}

/** Answers are as large as an object with a patch to it may be. */
const maxAnswerBytes = 8 * 1024 * 1024;
const maxAgents = 256;

const callError = (target: WebhookTarget, timeoutMs: number, why: string): WebhookError =>
  new WebhookError(`Post "${target.url.href}?timeout=${timeoutMs / 1000}s": ${why}`);

export function createWebhookClient(transport: Pick<WebhookTransport, 'send'>): WebhookClient {
  return {
    post: async (target, body, o) => {
      const { buffer, byteOffset, byteLength } = await transport.send(target, Buffer.from(JSON.stringify(body)), o);
      try {
        return JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString('utf8')) as unknown;
      } catch {
        throw callError(target, o.timeoutMs, 'the answer is no JSON');
      }
    },
  };
}

/** Calls webhooks over whatever the dialer makes, keeping connections by certificate authority and server name. */
export function createWebhookTransport(deps: { dialer: Dialer }): WebhookTransport {
  const agents = new Map<string, DialingAgent>();
  const tlsOf = (target: WebhookTarget): ConnectionOptions => {
    // An address is no server name (RFC 6066); the certificate is compared with it all the same.
    const name = isIP(target.serverName) === 0 ? { servername: target.serverName } : {};
    return { ...name, ...(target.ca === undefined ? {} : { ca: target.ca }) };
  };
  const agentOf = (target: WebhookTarget): DialingAgent => {
    const key = `${target.serverName}|${target.ca ?? ''}`;
    let agent = agents.get(key);
    if (agent === undefined) {
      // The oldest makes room. Its calls go on; its connections are closed when they have been idle for a while.
      if (agents.size >= maxAgents) agents.delete(agents.keys().next().value ?? '');
      agent = new DialingAgent({ keepAlive: true, maxFreeSockets: 4, timeout: 30_000 }, { dialer: deps.dialer, tls: tlsOf(target) });
      agents.set(key, agent);
    }
    return agent;
  };

  return {
    send: (target, text, o) =>
      new Promise((resolve, reject) => {
        const { url } = target;
        const settle = (): void => {
          clearTimeout(timer);
          o.signal.removeEventListener('abort', onAbort);
        };
        const fail = (why: string): void => {
          settle();
          reject(callError(target, o.timeoutMs, why));
        };
        const onAbort = (): void => void sent.destroy(new Error('context canceled'));
        const options: Omit<DialingOptions, 'agent'> = {
          route: target.route,
          method: 'POST',
          path: `${url.pathname}?timeout=${o.timeoutMs / 1000}s`,
          setHost: false,
          headers: {
            host: url.host,
            accept: 'application/json',
            'content-type': 'application/json',
            'content-length': text.length,
            'user-agent': 'kube-apiserver-admission',
          },
        };
        const take = (response: IncomingMessage): void => {
          const pieces: Buffer[] = [];
          let bytes = 0;
          response.on('data', (piece: Buffer) => {
            bytes += piece.length;
            if (bytes > maxAnswerBytes) response.destroy(new Error('the answer is too large'));
            else pieces.push(piece);
          });
          response.once('error', (error) => fail(error.message));
          response.once('end', () => {
            const answer = Buffer.concat(pieces);
            const code = response.statusCode ?? 0;
            if (code < 200 || code > 299) return fail(`the server answered with code ${code}: ${answer.toString('utf8').slice(0, 512)}`);
            settle();
            resolve(answer);
          });
        };
        let sent: ClientRequest;
        const send = (agent: DialingAgent, onError: (error: NodeJS.ErrnoException) => void): void => {
          let answered = false;
          sent = request({ ...options, agent } satisfies DialingOptions, (response) => {
            answered = true;
            take(response);
          });
          sent.once('error', (error) => (answered ? fail(error.message) : onError(error)));
          sent.end(text);
        };
        const timer = setTimeout(() => sent.destroy(new Error('context deadline exceeded')), o.timeoutMs);
        o.signal.addEventListener('abort', onAbort, { once: true });
        send(agentOf(target), (error) => {
          // The server had closed the connection that was kept, before it saw this.
          const isGone = error.code === 'ECONNRESET' || error.code === 'EPIPE';
          if (!isGone || !sent.reusedSocket || o.signal.aborted) return fail(error.message);
          send(new DialingAgent({}, { dialer: deps.dialer, tls: tlsOf(target) }), (again) => fail(again.message));
        });
      }),
    close: () => {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}
