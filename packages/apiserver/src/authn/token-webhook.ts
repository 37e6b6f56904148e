import { createHash } from 'node:crypto';
import type { Clock } from '@skiff/component-base';
import type { UserInfo } from '../contract.ts';
import { callReview } from '../remote/review-call.ts';
import { type RemoteClient, RemoteError } from '../remote/remote-client.ts';
import { TtlCache } from '../remote/ttl-cache.ts';
import { AuthenticationError, type TokenAuthenticator } from './authenticator.ts';

export interface TokenWebhookConfig {
  /** `authentication.k8s.io/v1` or `…/v1beta1`. */
  readonly apiVersion: string;
  /** How long an answer holds; 0 = for nobody else. */
  readonly cacheTtlMs: number;
}

type Verdict = { readonly user: UserInfo; readonly audiences: readonly string[] } | { readonly error: string } | undefined;

const timeoutMs = 10_000;
const cacheLimit = 4096;
const maxWaiting = 1000;
/** Larger ones are not sent on. */
const maxTokenBytes = 64 * 1024;

const isFields = (v: unknown): v is Readonly<Record<string, unknown>> => typeof v === 'object' && v !== null && !Array.isArray(v);
const texts = (v: unknown): readonly string[] => (Array.isArray(v) ? v.filter((t): t is string => typeof t === 'string') : []);

function readVerdict(answer: Readonly<Record<string, unknown>>, asked: readonly string[]): Verdict {
  const status = answer['status'];
  if (!isFields(status)) throw new RemoteError('the answer has no status', 200);
  const { error } = status;
  if (status['authenticated'] !== true) return typeof error === 'string' && error !== '' ? { error } : undefined;
  const user = isFields(status['user']) ? status['user'] : {};
  // A webhook that says nothing of audiences knows none: then the token is for this server.
  const audiences = texts(status['audiences']);
  const accepted = asked.length === 0 ? audiences : audiences.length === 0 ? asked : asked.filter((a) => audiences.includes(a));
  if (asked.length > 0 && accepted.length === 0) return undefined;
  const { username, uid, extra } = user;
  return {
    user: {
      name: typeof username === 'string' ? username : '',
      groups: texts(user['groups']),
      ...(typeof uid === 'string' && uid !== '' ? { uid } : {}),
      ...(isFields(extra) ? { extra: Object.fromEntries(Object.entries(extra).map(([k, v]) => [k, texts(v)])) } : {}),
    },
    audiences: accepted,
  };
}

/** A server elsewhere that knows tokens. Its answers hold for a while; equal questions at once are asked once. */
export function createTokenWebhook(
  config: TokenWebhookConfig,
  deps: { client: RemoteClient; clock: Pick<Clock, 'sleep' | 'monotonicMs'> },
): TokenAuthenticator {
  const known = new TtlCache<{ verdict: Verdict }>(cacheLimit, () => deps.clock.monotonicMs());
  const asking = new Map<string, Promise<Verdict>>();
  const ask = async (token: string, audiences: readonly string[]): Promise<Verdict> => {
    const review = {
      kind: 'TokenReview',
      apiVersion: config.apiVersion,
      metadata: {},
      spec: { token, ...(audiences.length === 0 ? {} : { audiences }) },
      status: { user: {} },
    };
    try {
      return readVerdict(await callReview(deps.client, review, { timeoutMs, clock: deps.clock }), audiences);
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      // Nobody's fault but the webhook's: it is not remembered.
      throw new AuthenticationError(`token webhook: ${error.message}`);
    }
  };
  return {
    name: 'token-webhook',
    authenticateToken: async (token, audiences) => {
      if (token.length > maxTokenBytes) return undefined;
      const key = createHash('sha256')
        .update(JSON.stringify([token, audiences]))
        .digest('base64');
      let found = known.get(key);
      if (found === undefined) {
        let pending = asking.get(key);
        if (pending === undefined) {
          if (asking.size >= maxWaiting) throw new AuthenticationError('token webhook: too many tokens wait for it');
          pending = ask(token, audiences).finally(() => asking.delete(key));
          asking.set(key, pending);
        }
        found = { verdict: await pending };
        known.set(key, found, config.cacheTtlMs);
      }
      const { verdict } = found;
      if (verdict !== undefined && 'error' in verdict) throw new AuthenticationError(verdict.error);
      return verdict;
    },
  };
}
