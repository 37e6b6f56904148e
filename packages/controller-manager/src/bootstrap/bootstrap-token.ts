import { createHmac } from 'node:crypto';
import type { Secret } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { InformerOptions } from '@skiff/client';

/** Secrets that hold bootstrap tokens; other Secrets are nobody's business here. */
export const bootstrapTokens: InformerOptions = { namespace: 'kube-system', fieldSelector: 'type=bootstrap.kubernetes.io/token' };

export interface BootstrapToken {
  readonly id: string;
  readonly secret: string;
  readonly signing: boolean;
  /** undefined: never. What can't be read has expired. */
  readonly expiresAtMs: number | undefined;
}

/** undefined for a Secret that is no complete token of its name. */
export function parseBootstrapToken(secret: DeepReadonly<Secret>): BootstrapToken | undefined {
  const value = (name: string): string => Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8');
  const [id, token, expiration] = [value('token-id'), value('token-secret'), value('expiration')];
  if (!/^[a-z0-9]{6}$/.test(id) || !/^[a-z0-9]{16}$/.test(token) || secret.metadata?.name !== `bootstrap-token-${id}`) return undefined;
  const at = Date.parse(expiration);
  return {
    id,
    secret: token,
    signing: value('usage-bootstrap-signing') === 'true',
    expiresAtMs: expiration === '' ? undefined : Number.isNaN(at) ? 0 : at,
  };
}

/** A JWS with detached content (RFC 7515, appendix F), HS256 by the token: whoever has the token can check what is signed. */
export function detachedSignature(content: string, token: BootstrapToken): string {
  const encode = (text: string): string => Buffer.from(text).toString('base64url');
  const header = encode(JSON.stringify({ alg: 'HS256', kid: token.id }));
  const signature = createHmac('sha256', token.secret)
    .update(`${header}.${encode(content)}`)
    .digest('base64url');
  return `${header}..${signature}`;
}
