import { timingSafeEqual } from 'node:crypto';
import { secret as secrets, type Secret, serviceAccount, type ServiceAccount } from '@skiff/api';
import type { Logger } from '@skiff/component-base';
import { compactVerify, decodeJwt, decodeProtectedHeader, errors } from 'jose';
import type { ObjectAccess } from '../contract.ts';
import { AuthenticationError, type TokenAuthenticator } from './authenticator.ts';
import { serviceAccountGroups, serviceAccountUserName, type VerificationKey } from './service-account-token.ts';

const legacyIssuer = 'kubernetes/serviceaccount';
const prefix = 'kubernetes.io/serviceaccount';
const lastUsedLabel = 'kubernetes.io/legacy-token-last-used';
const invalidLabel = 'kubernetes.io/legacy-token-invalid-since';
const cacheLimit = 4096;

interface LegacyClaims {
  readonly namespace: string;
  readonly secretName: string;
  readonly name: string;
  readonly uid: string;
}

function readClaims(payload: Readonly<Record<string, unknown>>): LegacyClaims {
  const text = (name: string): string => {
    const value = payload[`${prefix}/${name}`];
    if (typeof value !== 'string' || value === '') throw new AuthenticationError(`${name} claim is missing`);
    return value;
  };
  const claims = {
    namespace: text('namespace'),
    secretName: text('secret.name'),
    name: text('service-account.name'),
    uid: text('service-account.uid'),
  };
  if (payload['sub'] !== serviceAccountUserName(claims.namespace, claims.name)) throw new AuthenticationError('sub claim is invalid');
  return claims;
}

const equal = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
};

/**
 * Tokens that lie in Secrets of type kubernetes.io/service-account-token. They have no end: they hold as long as the Secret has them, and
 * the account is the same. The Secret tells the day of their last use.
 */
export function createLegacyTokenAuthenticator(deps: {
  keys: readonly VerificationKey[];
  objects: ObjectAccess;
  nowMs: () => number;
  log: Logger;
}): TokenAuthenticator {
  const { keys, objects, nowMs, log } = deps;
  const verified = new Map<string, LegacyClaims>();
  const noting = new Set<string>();

  const verify = async (token: string): Promise<LegacyClaims> => {
    const { kid } = decodeProtectedHeader(token);
    for (const candidate of keys) {
      if (kid !== undefined && kid !== '' && candidate.kid !== kid) continue;
      const algorithms = candidate.key.asymmetricKeyType === 'rsa' ? ['RS256', 'RS384', 'RS512'] : ['ES256', 'ES384', 'ES512'];
      try {
        const { payload } = await compactVerify(token, candidate.key, { algorithms });
        return readClaims(JSON.parse(Buffer.from(payload).toString('utf8')) as Record<string, unknown>);
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) continue;
        if (error instanceof errors.JOSEError) throw new AuthenticationError(`service account token is not valid: ${error.message}`);
        throw error;
      }
    }
    throw new AuthenticationError('service account token: failed to verify signature');
  };

  const noteUse = (found: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } }, c: LegacyClaims): void => {
    const today = new Date(nowMs()).toISOString().slice(0, 10);
    const key = `${c.namespace}/${c.secretName}`;
    if (found.metadata?.labels?.[lastUsedLabel] === today || noting.has(key)) return;
    noting.add(key);
    objects
      .update<Secret>(secrets, c.namespace, c.secretName, (draft) => {
        draft.metadata = { ...draft.metadata, labels: { ...draft.metadata?.labels, [lastUsedLabel]: today } };
        return draft;
      })
      .catch((error: unknown) => log.warn({ err: error, secret: key }, 'the last use of a token could not be noted'))
      .finally(() => noting.delete(key));
  };

  return {
    name: 'legacy-service-account',
    authenticateToken: async (token) => {
      let claims = verified.get(token);
      if (claims === undefined) {
        try {
          if (decodeJwt(token).iss !== legacyIssuer) return undefined;
        } catch {
          return undefined;
        }
        claims = await verify(token);
        if (verified.size >= cacheLimit) verified.clear();
        verified.set(token, claims);
      }
      const { namespace, secretName, name, uid } = claims;
      const found = objects.get<Secret>(secrets, namespace, secretName);
      if (found === undefined || found.metadata?.deletionTimestamp !== undefined)
        throw new AuthenticationError('Token has been invalidated');
      if (!equal(Buffer.from(found.data?.['token'] ?? '', 'base64').toString('latin1'), token))
        throw new AuthenticationError("Token does not match server's copy");
      const account = objects.get<ServiceAccount>(serviceAccount, namespace, name);
      if (account === undefined || account.metadata?.deletionTimestamp !== undefined)
        throw new AuthenticationError(`ServiceAccount ${namespace}/${name} has been deleted`);
      if (account.metadata?.uid !== uid)
        throw new AuthenticationError(`ServiceAccount UID (${account.metadata?.uid ?? ''}) does not match claim (${uid})`);
      noteUse(found, claims);
      if ((found.metadata?.labels?.[invalidLabel] ?? '') !== '')
        throw new AuthenticationError(
          `the token in secret ${namespace}/${secretName} for service account ${namespace}/${name} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '${invalidLabel}' label from the secret to temporarily allow use of this token`,
        );
      return { user: { name: serviceAccountUserName(namespace, name), uid, groups: serviceAccountGroups(namespace) }, audiences: [] };
    },
  };
}
