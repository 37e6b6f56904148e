import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { WebhookError } from '../admission/webhook/client.ts';
import { answerOf } from '../connect/kubelet-client.ts';
import { forwardedHeaders, hopByHop } from '../connect/proxy.ts';
import { sendBody } from '../connect/request-body.ts';
import { passUpgrade, upgradeHeaders, wantsUpgrade } from '../connect/upgrade.ts';
import type { UserInfo } from '../contract.ts';
import { textResponse } from '../request/responses.ts';
import type { Exchange } from '../server/exchange.ts';
import { drained, responseClosed, sendResponse } from '../server/respond.ts';
import type { UnsentBytes } from '../server/unsent.ts';
import type { ApiServices, Extension } from './api-services.ts';
import { type ExtensionClient, userHeaders } from './extension-client.ts';

/** Hands requests for group versions of other apiservers on to them. */
export interface ExtensionProxy {
  /** Whose is this path? undefined: this server's own, or nobody's. */
  find(path: string): Extension | undefined;
  /** Writes its own answer and resolves when it is over; `began`: the answer's head is out. */
  serve(x: Exchange, e: Extension, r: { user: UserInfo; signal: AbortSignal; began(): void }): Promise<void>;
}

/** Extensions serve their own documents of version 3. */
const openApiPrefix = '/openapi/v3';
const unavailable = 'service unavailable\n';

const isReading = (x: Exchange): boolean => x.request.method === 'GET' || x.request.method === 'HEAD';
/** A read goes without its body: what announces one would have the next request on the connection taken for it. */
const bodyHeaders = ['content-length', 'transfer-encoding', 'content-encoding', 'expect'] as const;

function headersFor(x: Exchange, host: string, user: UserInfo): OutgoingHttpHeaders {
  const headers = { ...forwardedHeaders(x, host), ...userHeaders(user) };
  if (isReading(x)) for (const name of bodyHeaders) delete headers[name];
  return headers;
}

/** A GET may be sent again when the kept connection that it went over was closed meanwhile. */
async function answered(
  start: (keepAlive: boolean) => Promise<ClientRequest>,
  x: Exchange,
  signal: AbortSignal,
): Promise<{ answer: IncomingMessage; sending: Promise<void> }> {
  const isRead = isReading(x);
  if (isRead) {
    const kept = await start(true);
    try {
      kept.end();
      return { answer: (await answerOf(kept, signal)).response, sending: Promise.resolve() };
    } catch (error) {
      if (!kept.reusedSocket || signal.aborted) throw error;
    }
  }
  const request = await start(false);
  const sending = isRead ? Promise.resolve(void request.end()) : sendBody(x.request, request);
  return { answer: (await answerOf(request, signal)).response, sending };
}

async function relay(x: Exchange, answer: IncomingMessage, began: () => void): Promise<void> {
  const { response } = x;
  for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2) {
    const name = (answer.rawHeaders[i] ?? '').toLowerCase();
    if (hopByHop.has(name)) continue;
    const value = answer.rawHeaders[i + 1] ?? '';
    const before = answer.headers[name];
    response.setHeader(name, Array.isArray(before) ? before : name === 'warning' ? (answer.headersDistinct[name] ?? value) : value);
  }
  response.writeHead(answer.statusCode ?? 502);
  if ('flushHeaders' in response) response.flushHeaders();
  began();
  for await (const piece of answer) {
    if (responseClosed(response)) return;
    const taken = 'stream' in response ? response.write(piece as Buffer) : response.write(piece as Buffer);
    if (!taken) await drained(response);
  }
  if (!responseClosed(response)) response.end();
}

export function createExtensionProxy(deps: { services: ApiServices; client: ExtensionClient; unsent: UnsentBytes }): ExtensionProxy {
  const { services, client, unsent } = deps;
  const refuse = async (x: Exchange, text: string): Promise<void> =>
    await sendResponse(x, textResponse(503, text), { compressible: false, unsent });

  return {
    find: (path) => {
      const below = path.startsWith(openApiPrefix) ? path.slice(openApiPrefix.length) : path;
      if (!below.startsWith('/apis/')) return undefined;
      const [, , group = '', version = ''] = below.split('/', 4);
      return version === '' ? undefined : services.find(group, version);
    },
    serve: async (x, e, { user, signal, began }) => {
      if (!e.available) return await refuse(x, unavailable);
      let route: ReturnType<ExtensionClient['routeOf']>;
      try {
        route = client.routeOf(e);
      } catch (error) {
        if (!(error instanceof WebhookError)) throw error;
        return await refuse(x, unavailable);
      }
      const host = `${route.host.includes(':') ? `[${route.host}]` : route.host}:${route.port}`;
      const target = { method: x.request.method ?? 'GET', path: x.request.url ?? '/' };
      if (wantsUpgrade(x)) {
        const headers = { ...upgradeHeaders(x, host), ...userHeaders(user) };
        await passUpgrade(x, await client.open(e, route, { ...target, headers, keepAlive: false }), signal);
        return;
      }
      const headers = headersFor(x, host, user);
      let found: Awaited<ReturnType<typeof answered>>;
      try {
        found = await answered((keepAlive) => client.open(e, route, { ...target, headers, keepAlive }), x, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        const why = (error as Error).message.replace(/^error dialing backend: /, '');
        return await refuse(x, `error trying to reach service: ${why}`);
      }
      const { answer, sending } = found;
      const stop = (): void => void answer.destroy();
      signal.addEventListener('abort', stop, { once: true });
      try {
        await relay(x, answer, began);
      } finally {
        signal.removeEventListener('abort', stop);
        answer.destroy();
        await sending;
      }
    },
  };
}
