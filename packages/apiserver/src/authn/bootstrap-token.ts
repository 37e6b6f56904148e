import { timingSafeEqual } from 'node:crypto';
import { secret } from '@skiff/api';
import type { ObjectAccess } from '../contract.ts';
import { AuthenticationError, type TokenAuthenticator } from './authenticator.ts';

interface TokenSecret {
  readonly type?: string;
  readonly metadata?: { readonly deletionTimestamp?: string };
  readonly data?: Readonly<Record<string, string>>;
}

const decode = (value: string | undefined): string => (value === undefined ? '' : Buffer.from(value, 'base64').toString('utf8'));
const same = (a: string, b: string): boolean => {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
};

/** Tokens `id.secret` for joining nodes, kept in Secrets `kube-system/bootstrap-token-<id>`. */
export function createBootstrapTokenAuthenticator(deps: { objects: ObjectAccess; nowMs: () => number }): TokenAuthenticator {
  return {
    name: 'bootstrap-token',
    authenticateToken: async (token) => {
      const match = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token);
      const id = match?.[1];
      if (id === undefined) return undefined;
      const found = deps.objects.get(secret, 'kube-system', `bootstrap-token-${id}`) as TokenSecret | undefined;
      if (found?.type !== 'bootstrap.kubernetes.io/token' || found.metadata?.deletionTimestamp !== undefined) return undefined;
      const data = found.data ?? {};
      if (!same(decode(data['token-secret']), match?.[2] ?? '') || decode(data['token-id']) !== id) return undefined;
      const expiration = decode(data['expiration']);
      if (expiration !== '' && !(Date.parse(expiration) > deps.nowMs())) throw new AuthenticationError('bootstrap token has expired');
      if (decode(data['usage-bootstrap-authentication']) !== 'true') return undefined;
      const extra = decode(data['auth-extra-groups'])
        .split(',')
        .map((g) => g.trim())
        .filter((g) => g !== '');
      const bad = extra.find((g) => !/^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/.test(g));
      if (bad !== undefined) throw new AuthenticationError(`bootstrap token has the invalid group ${JSON.stringify(bad)}`);
      return { user: { name: `system:bootstrap:${id}`, groups: ['system:bootstrappers', ...extra] }, audiences: [] };
    },
  };
}
