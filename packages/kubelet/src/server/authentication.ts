import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { subjectAccessReview, tokenReview, type SubjectAccessReview, type TokenReview } from '@skiff/api';
import type { Client } from '@skiff/client';
import type { Clock } from '@skiff/component-base';

export interface Requester {
  readonly user: string;
  readonly uid?: string;
  readonly groups: readonly string[];
}

interface Cached<T> {
  readonly value: T;
  readonly untilMs: number;
}

/** Upstream's times: how long an answer of the API is believed. */
const tokenTtlMs = 120_000;
const allowedTtlMs = 300_000;
const deniedTtlMs = 30_000;
const maxCached = 1000;

function remember<T>(cache: Map<string, Cached<T>>, key: string, value: Cached<T>): void {
  if (cache.size >= maxCached) cache.delete(cache.keys().next().value ?? '');
  cache.set(key, value);
}

/** Who sent a request: by client certificate, else by a token that the API knows. undefined: nobody known. */
export function createAuthenticator(deps: { client: Client; clock: Clock }): (request: IncomingMessage) => Promise<Requester | undefined> {
  const tokens = new Map<string, Cached<Requester | undefined>>();
  const review = async (token: string): Promise<Requester | undefined> => {
    const key = createHash('sha256').update(token).digest('hex');
    const known = tokens.get(key);
    if (known !== undefined && known.untilMs > deps.clock.now()) return known.value;
    const answer = await deps.client.create<TokenReview>(tokenReview, { spec: { token } });
    const user = answer.status?.authenticated === true ? answer.status.user : undefined;
    const value =
      user?.username === undefined
        ? undefined
        : { user: user.username, groups: user.groups ?? [], ...(user.uid === undefined ? {} : { uid: user.uid }) };
    remember(tokens, key, { value, untilMs: deps.clock.now() + tokenTtlMs });
    return value;
  };
  return async (request) => {
    const socket = request.socket as TLSSocket;
    if (socket.authorized) {
      const { subject } = socket.getPeerCertificate();
      const groups: string | string[] | undefined = subject?.O;
      const name: string | string[] | undefined = subject?.CN;
      if (typeof name === 'string' && name !== '')
        return { user: name, groups: groups === undefined ? [] : Array.isArray(groups) ? groups : [groups] };
    }
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    return bearer === undefined ? undefined : review(bearer);
  };
}

export interface NodeAccess {
  readonly verb: string;
  /** Tried in order; one that is allowed is enough. */
  readonly subresources: readonly string[];
}

const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** What a request means in terms of the Node object (KEP-2862 for the finer ones). */
export function accessOf(method: string, path: string): NodeAccess {
  const verb = verbs[method] ?? 'get';
  const begins = (prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`);
  if (begins('/stats')) return { verb, subresources: ['stats'] };
  if (begins('/metrics')) return { verb, subresources: ['metrics'] };
  if (begins('/logs')) return { verb, subresources: ['log'] };
  if (begins('/checkpoint')) return { verb, subresources: ['checkpoint'] };
  if (begins('/pods') || begins('/runningpods')) return { verb, subresources: ['pods', 'proxy'] };
  if (begins('/healthz')) return { verb, subresources: ['healthz', 'proxy'] };
  if (begins('/statusz')) return { verb, subresources: ['statusz'] };
  if (begins('/flagz')) return { verb, subresources: ['configz'] };
  if (begins('/configz')) return { verb, subresources: ['configz', 'proxy'] };
  return { verb, subresources: ['proxy'] };
}

/** Asks the API whether somebody may do that to this node. */
export function createAuthorizer(
  nodeName: string,
  deps: { client: Client; clock: Clock },
): (who: Requester, access: NodeAccess) => Promise<boolean> {
  const cache = new Map<string, Cached<boolean>>();
  const ask = async (who: Requester, verb: string, subresource: string): Promise<boolean> => {
    const key = JSON.stringify([who, verb, subresource]);
    const known = cache.get(key);
    if (known !== undefined && known.untilMs > deps.clock.now()) return known.value;
    const answer = await deps.client.create<SubjectAccessReview>(subjectAccessReview, {
      spec: {
        user: who.user,
        groups: [...who.groups],
        ...(who.uid === undefined ? {} : { uid: who.uid }),
        resourceAttributes: { group: '', version: 'v1', resource: 'nodes', subresource, name: nodeName, verb },
      },
    });
    const allowed = answer.status?.allowed === true;
    remember(cache, key, { value: allowed, untilMs: deps.clock.now() + (allowed ? allowedTtlMs : deniedTtlMs) });
    return allowed;
  };
  return async (who, { verb, subresources }) => {
    for (const subresource of subresources) if (await ask(who, verb, subresource)) return true;
    return false;
  };
}
