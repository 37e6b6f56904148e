import http from 'node:http';
import https from 'node:https';
import type { HTTPGetAction } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { ContainerSpec } from '../pod/pod-snapshot.ts';

/** Bodies are read so far. */
const maxBodyBytes = 10 * 1024;
const maxRedirects = 10;

export interface HttpAnswer {
  readonly code: number;
  readonly body: string;
  readonly location: string | undefined;
}

/** A port by number, or by its name among the container's. Throws for an unknown name. */
export function resolvePort(port: number | string, c: ContainerSpec): number {
  const number = typeof port === 'number' ? port : /^\d+$/.test(port) ? Number(port) : c.ports?.find((p) => p.name === port)?.containerPort;
  if (number === undefined) throw new Error(`couldn't find port: "${port}" in container ${c.name}`);
  if (number < 1 || number > 65_535) throw new Error(`invalid port number: ${port}`);
  return number;
}

const bracket = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** The URL of an httpGet action; the pod's address where it names no host. */
export function httpUrl(action: DeepReadonly<HTTPGetAction>, c: ContainerSpec, podIP: string): URL {
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  const host = action.host === undefined || action.host === '' ? podIP : action.host;
  const path = action.path === undefined || action.path === '' ? '/' : action.path;
  return new URL(`${scheme}://${bracket(host)}:${resolvePort(action.port, c)}${path.startsWith('/') ? path : `/${path}`}`);
}

function headersOf(action: DeepReadonly<HTTPGetAction>, userAgent: string): http.OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = {};
  for (const { name, value } of action.httpHeaders ?? []) {
    const key = name.toLowerCase();
    const present = headers[key];
    headers[key] = present === undefined ? value : [...(Array.isArray(present) ? present : [present]), value];
  }
  // An empty header means: do not send it.
  for (const [key, standard] of [
    ['user-agent', userAgent],
    ['accept', '*/*'],
  ] as const) {
    if (headers[key] === undefined) headers[key] = standard;
    else if (headers[key] === '') delete headers[key];
  }
  return headers;
}

/** Each request has a connection of its own, and no agent or TLS session is made for it. */
const agents = { http: new http.Agent({ keepAlive: false }), https: new https.Agent({ keepAlive: false, maxCachedSessions: 0 }) };

function requestOnce(url: URL, headers: http.OutgoingHttpHeaders, signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    // Probes check that something answers, not who it is.
    const request =
      url.protocol === 'https:'
        ? https.get(url, { headers, agent: agents.https, rejectUnauthorized: false })
        : http.get(url, { headers, agent: agents.http });
    // Half of what an option `signal` costs.
    const stop = (): void => void request.destroy(new Error('the request was given up'));
    signal.addEventListener('abort', stop, { once: true });
    request.on('close', () => signal.removeEventListener('abort', stop));
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const done = (): void =>
        resolve({
          code: response.statusCode ?? 0,
          body: Buffer.concat(chunks).toString().slice(0, maxBodyBytes),
          location: response.headers.location,
        });
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size < maxBodyBytes) return;
        done();
        response.destroy();
      });
      response.on('end', done);
      response.on('error', reject);
    });
  });
}

/** Go's words for what went wrong, as people know them from events. */
export function dialError(error: unknown, host: string): string {
  const e = error as NodeJS.ErrnoException;
  switch (e.code) {
    case 'ECONNREFUSED':
      return `dial tcp ${host}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${host}: connect: no route to host`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${host.replace(/:\d+$/, '')}: no such host`;
    case 'ECONNRESET':
      return `read tcp ${host}: read: connection reset by peer`;
    default:
      return e.message;
  }
}

/**
 * GET with redirects on the same host. A redirect elsewhere is not followed: `redirected` then says so.
 * Throws an Error whose message is that of Go's HTTP client.
 */
export async function httpGet(
  action: DeepReadonly<HTTPGetAction>,
  o: { container: ContainerSpec; podIP: string; userAgent: string; signal: AbortSignal },
): Promise<HttpAnswer & { redirected: boolean }> {
  let url = httpUrl(action, o.container, o.podIP);
  const { host } = url;
  for (let i = 0; ; i++) {
    let answer: HttpAnswer;
    try {
      answer = await requestOnce(url, headersOf(action, o.userAgent), o.signal);
    } catch (error) {
      if (o.signal.aborted)
        throw new Error(`Get "${url.href}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`, { cause: error });
      throw new Error(`Get "${url.href}": ${dialError(error, url.host)}`, { cause: error });
    }
    if (answer.code < 300 || answer.code >= 400 || answer.location === undefined) return { ...answer, redirected: false };
    const next = new URL(answer.location, url);
    if (next.host !== host) return { ...answer, redirected: true };
    if (i >= maxRedirects) throw new Error(`Get "${url.href}": stopped after ${maxRedirects} redirects`);
    url = next;
  }
}
