import type { OutgoingHttpHeaders } from 'node:http';
import { serviceUnavailable } from '@skiff/apimachinery';
import type { Authorizer } from '../authz/authorizer.ts';
import type { ObjectAccess } from '../contract.ts';
import type { Exchange } from '../server/exchange.ts';
import { drained, responseClosed } from '../server/respond.ts';
import type { ConnectHandler, ConnectRequest } from './connect-handler.ts';
import { canRewriteLinks, proxiedUrl, rewriteLinks } from './html-links.ts';
import { answerOf, type KubeletClient } from './kubelet-client.ts';
import { nodeTarget, podTarget, type ProxyTarget, serviceTarget } from './proxy-target.ts';
import { hasUnmeasuredBody, sendBody } from './request-body.ts';
import { mustCreate, passUpgrade, upgradeHeaders, wantsUpgrade } from './upgrade.ts';

export const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);
/** Said to the apiserver, not to what is behind it. */
const apiserverOnly = /^(?:authorization|host|impersonate-.*|x-remote-.*|audit-id)$/;

/** A request's headers as a backend gets them; a body is framed by them. */
export function forwardedHeaders(x: Exchange, host: string): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = { host };
  for (const [name, value] of Object.entries(x.request.headers)) {
    if (value === undefined || name.startsWith(':') || hopByHop.has(name) || apiserverOnly.test(name)) continue;
    out[name] = value;
  }
  if (hasUnmeasuredBody(x.request)) out['transfer-encoding'] = 'chunked';
  const before = x.request.headers['x-forwarded-for'];
  out['x-forwarded-for'] = before === undefined ? x.connection.remoteAddress : `${String(before)}, ${x.connection.remoteAddress}`;
  return out;
}

/** The name that the client knows this server by. */
const hostOf = (x: Exchange): string => String(x.request.headers[':authority'] ?? x.request.headers.host ?? '');

/** The URL taken apart behind the subresource: `…/pods/x/proxy` and the rest, both still encoded. */
export function splitProxyUrl(url: string, namespaced: boolean): { prefix: string; path: string; query: string } {
  const question = url.indexOf('?');
  const segments = (question < 0 ? url : url.slice(0, question)).split('/');
  const end = namespaced ? 8 : 6;
  const rest = segments.slice(end);
  return {
    prefix: segments.slice(0, end).join('/'),
    path: rest.length === 0 ? '' : `/${rest.join('/')}`,
    query: question < 0 ? '' : url.slice(question),
  };
}

async function proxyRequest(
  r: ConnectRequest,
  target: ProxyTarget,
  deps: { kubelets: KubeletClient; authorizer: Authorizer },
): Promise<void> {
  const { kubelets, authorizer } = deps;
  const x = r.exchange;
  const { prefix, path, query } = splitProxyUrl(x.request.url ?? '', r.info.namespace !== '');
  const { route } = target;
  const host = `${route.host.includes(':') ? `[${route.host}]` : route.host}:${route.port}`;
  const base = { ...target, method: x.request.method ?? 'GET', path: `${path === '' ? '/' : path}${query}` };
  if (wantsUpgrade(x)) {
    // By it the kubelet runs commands.
    if (target.kubelet) await mustCreate(r, authorizer);
    await passUpgrade(x, await kubelets.open({ ...base, headers: upgradeHeaders(x, host) }), r.signal);
    return;
  }
  const response = x.response;
  if (path === '' && (base.method === 'GET' || base.method === 'HEAD')) {
    response.setHeader('location', `${prefix}/${query}`);
    response.statusCode = 301;
    response.end();
    return;
  }
  const forwarded = { ...forwardedHeaders(x, host), 'x-forwarded-uri': `${prefix}${path}` };
  const request = await kubelets.open({ ...base, headers: forwarded });
  const sending = sendBody(x.request, request);
  const { response: answer } = await answerOf(request, r.signal).catch((error: Error) => {
    throw serviceUnavailable(`error trying to reach service: ${error.message.replace(/^error dialing backend: /, '')}`);
  });
  // Links and redirects of the backend's site become those of the proxy; others are left, for the client to judge.
  const rewrite = (url: string): string => proxiedUrl(url, { prefix, backend: host, host: hostOf(x) });
  const encoding = answer.headers['content-encoding'] ?? '';
  const isPage = answer.headers.location === undefined && canRewriteLinks(answer.headers['content-type'] ?? '', encoding);
  const body = isPage && base.method !== 'HEAD' ? rewriteLinks(answer, encoding, rewrite) : answer;
  const stop = (): void => void answer.destroy();
  r.signal.addEventListener('abort', stop, { once: true });
  try {
    for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2) {
      const name = (answer.rawHeaders[i] ?? '').toLowerCase();
      const value = answer.rawHeaders[i + 1] ?? '';
      if (hopByHop.has(name) || (isPage && name === 'content-length')) continue;
      if (name === 'set-cookie') response.setHeader(name, answer.headers['set-cookie'] ?? []);
      else response.setHeader(name, name === 'location' ? rewrite(value) : value);
    }
    response.writeHead(answer.statusCode ?? 502);
    for await (const piece of body) {
      if (responseClosed(response)) break;
      const taken = 'stream' in response ? response.write(piece as Buffer) : response.write(piece as Buffer);
      if (!taken) await drained(response);
    }
  } finally {
    r.signal.removeEventListener('abort', stop);
    answer.destroy();
    await sending;
  }
  if (!responseClosed(response)) response.end();
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** HTTP through the apiserver: pods/proxy, services/proxy and nodes/proxy. */
export function proxies(deps: { objects: ObjectAccess; kubelets: KubeletClient; authorizer: Authorizer }): readonly ConnectHandler[] {
  const { objects, kubelets } = deps;
  const handler = (resource: string, find: (r: ConnectRequest) => ProxyTarget | Promise<ProxyTarget>): ConnectHandler => ({
    group: '',
    resource,
    subresource: 'proxy',
    methods,
    connect: async (r) => await proxyRequest(r, await find(r), deps),
  });
  return [
    handler('pods', (r) => podTarget(objects, r.info.namespace, r.info.name)),
    handler('services', (r) => serviceTarget(objects, r.info.namespace, r.info.name)),
    handler('nodes', (r) => nodeTarget(objects, kubelets, r.info.name)),
  ];
}
