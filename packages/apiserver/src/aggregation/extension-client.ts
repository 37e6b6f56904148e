import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type ClientRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders, request as httpRequest } from 'node:http';
import { serviceRoute } from '../admission/webhook/target.ts';
import { DialingAgent, type DialingOptions } from '../connect/dialing-agent.ts';
import type { ObjectAccess, UserInfo } from '../contract.ts';
import type { Dialer, Route } from '../tunnel/dialer.ts';
import type { Extension } from './api-services.ts';

/** The certificate by which extension apiservers know this server (requestheader-client-ca-file is its authority). */
export interface ProxyClientConfig {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

export interface ExtensionRequest {
  readonly method: string;
  /** Encoded, with its query. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  /** Over a connection that is kept for others, or one of its own. */
  readonly keepAlive: boolean;
}

export interface ExtensionAnswer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface ExtensionClient {
  /** Where the Service leads. Throws WebhookError when it leads nowhere. */
  routeOf(e: Extension): Route;
  /** Starts a request whose body the caller writes. Redirects are never followed. */
  open(e: Extension, route: Route, r: ExtensionRequest): Promise<ClientRequest>;
  /** Asks on behalf of the server itself. Rejects when there is no answer in time, or one that is too large. */
  ask(e: Extension, r: { path: string; headers: OutgoingHttpHeaders; timeoutMs: number; maxBytes: number }): Promise<ExtensionAnswer>;
  close(): void;
}

const idleMs = 30_000;
const maxAgents = 128;

/** Other characters than those of header names are percent-encoded in keys of extra. */
const headerKey = (key: string): string =>
  [...Buffer.from(key, 'utf8')]
    .map((byte) =>
      /[!#$&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');

/** How an extension apiserver is told who asks. */
export function userHeaders(user: UserInfo): OutgoingHttpHeaders {
  const extra: OutgoingHttpHeaders = {};
  for (const [key, values] of Object.entries(user.extra ?? {})) extra[`x-remote-extra-${headerKey(key)}`] = [...values];
  return {
    'x-remote-user': user.name,
    ...(user.uid ? { 'x-remote-uid': user.uid } : {}),
    ...(user.groups.length === 0 ? {} : { 'x-remote-group': [...user.groups] }),
    ...extra,
  };
}

interface Credentials {
  readonly cert?: string;
  readonly key?: string;
}

/** Connections to extension apiservers; the certificate is read when first needed, and again when its files changed. */
export function createExtensionClient(config: ProxyClientConfig, deps: { dialer: Dialer; objects: () => ObjectAccess }): ExtensionClient {
  const agents = new Map<string, DialingAgent>();
  let credentials: Promise<Credentials> | undefined;
  let stamp = '';

  const currentCredentials = (): Promise<Credentials> => {
    const { certFile, keyFile } = config;
    if (certFile === undefined || keyFile === undefined) return Promise.resolve({});
    const now = [certFile, keyFile].map((f) => statSync(f, { throwIfNoEntry: false })?.mtimeMs ?? '').join(' ');
    if (now !== stamp || credentials === undefined) {
      stamp = now;
      credentials = Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]).then(([cert, key]) => ({ cert, key }));
      credentials.catch(() => {
        stamp = '';
      });
    }
    return credentials;
  };
  const agentOf = async (e: Extension, keepAlive: boolean): Promise<DialingAgent> => {
    const c = await currentCredentials();
    const serverName = `${e.service.name}.${e.service.namespace}.svc`;
    const key = createHash('sha256')
      .update(JSON.stringify([serverName, e.caBundle, e.insecure, stamp, keepAlive]))
      .digest('base64');
    let agent = agents.get(key);
    if (agent === undefined) {
      // The oldest makes room. Its calls go on; its connections are closed when they have been idle for a while.
      if (agents.size >= maxAgents) agents.delete(agents.keys().next().value ?? '');
      const ca = e.caBundle === undefined ? {} : { ca: Buffer.from(e.caBundle, 'base64').toString('utf8') };
      const tls = { ...c, ...ca, servername: serverName, rejectUnauthorized: !e.insecure };
      agent = new DialingAgent(keepAlive ? { keepAlive: true, maxFreeSockets: 4, timeout: idleMs } : {}, { dialer: deps.dialer, tls });
      agents.set(key, agent);
    }
    return agent;
  };

  const open: ExtensionClient['open'] = async (e, route, r) => {
    const options: DialingOptions = {
      agent: await agentOf(e, r.keepAlive),
      route,
      method: r.method,
      path: r.path,
      headers: r.headers,
      setHost: false,
    };
    return httpRequest(options);
  };
  const routeOf = (e: Extension): Route => serviceRoute(deps.objects(), e.service.namespace, e.service.name, e.service.port);

  return {
    routeOf,
    open,
    ask: async (e, r) => {
      const route = routeOf(e);
      const host = `${route.host.includes(':') ? `[${route.host}]` : route.host}:${route.port}`;
      const started = await open(e, route, { method: 'GET', path: r.path, headers: { host, ...r.headers }, keepAlive: false });
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => started.destroy(new Error('context deadline exceeded')), r.timeoutMs);
        const fail = (error: Error): void => {
          clearTimeout(timer);
          reject(error);
        };
        started.once('error', fail);
        started.once('response', (response) => {
          const pieces: Buffer[] = [];
          let bytes = 0;
          response.on('data', (piece: Buffer) => {
            bytes += piece.length;
            if (bytes > r.maxBytes) response.destroy(new Error('the answer is too large'));
            else pieces.push(piece);
          });
          response.once('error', fail);
          response.once('end', () => {
            clearTimeout(timer);
            resolve({ code: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) });
          });
        });
        started.end();
      });
    },
    close: () => {
      for (const agent of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}
