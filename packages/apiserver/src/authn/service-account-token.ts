import type { KeyObject } from 'node:crypto';
import { node, pod, secret, serviceAccount } from '@skiff/api';
import type { ResourceDefinition } from '@skiff/apimachinery';
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import type { ObjectAccess, UserInfo } from '../contract.ts';
import { AuthenticationError, type TokenAuthenticator } from './authenticator.ts';

export interface VerificationKey {
  readonly kid: string;
  readonly key: KeyObject;
}

interface Reference {
  readonly name: string;
  readonly uid: string;
}

/** What Skiff, like upstream, puts under `kubernetes.io` in a token. */
export interface PrivateClaims {
  readonly namespace: string;
  readonly serviceaccount: Reference;
  readonly pod?: Reference;
  readonly secret?: Reference;
  readonly node?: Reference;
  readonly warnafter?: number;
}

interface VerifiedToken {
  readonly audiences: readonly string[];
  readonly claims: PrivateClaims;
  readonly jti: string | undefined;
  readonly expiresMs: number;
  readonly notBeforeMs: number;
}

export const serviceAccountUserName = (namespace: string, name: string): string => `system:serviceaccount:${namespace}:${name}`;
export const serviceAccountGroups = (namespace: string): readonly string[] => [
  'system:serviceaccounts',
  `system:serviceaccounts:${namespace}`,
];

/** `system:serviceaccount:<namespace>:<name>` taken apart; undefined when the name is another user's. */
export function parseServiceAccountUserName(user: string): { namespace: string; name: string } | undefined {
  const match = /^system:serviceaccount:([a-z0-9](?:[-a-z0-9]*[a-z0-9])?):([a-z0-9](?:[-.a-z0-9]*[a-z0-9])?)$/.exec(user);
  return match?.[1] === undefined || match[2] === undefined ? undefined : { namespace: match[1], name: match[2] };
}

/** A deleted object's tokens work so much longer, so that what stops gracefully can finish. */
const deletionLeewayMs = 60_000;
const cacheLimit = 4096;

const isReference = (v: unknown): v is Reference =>
  typeof v === 'object' && v !== null && typeof (v as Reference).name === 'string' && typeof (v as Reference).uid === 'string';

function readClaims(value: unknown): PrivateClaims {
  const c = value as Partial<PrivateClaims> | undefined;
  if (c === undefined || c === null || typeof c.namespace !== 'string' || !isReference(c.serviceaccount)) {
    throw new AuthenticationError('service account token lacks its kubernetes.io claims');
  }
  for (const bound of [c.pod, c.secret, c.node]) {
    if (bound !== undefined && !isReference(bound)) throw new AuthenticationError('service account token has a malformed binding');
  }
  return c as PrivateClaims;
}

/**
 * Bound ServiceAccount tokens (KEP-1205). Signatures are verified once per token and remembered; times, the account, and the
 * objects that the token is bound to are checked for every request, from the cache.
 */
export function createServiceAccountTokenAuthenticator(
  config: { readonly issuers: readonly string[]; readonly apiAudiences: readonly string[] },
  deps: { keys: readonly VerificationKey[]; objects: ObjectAccess; nowMs: () => number },
): TokenAuthenticator {
  const verified = new Map<string, VerifiedToken>();
  const { objects, nowMs } = deps;

  const verify = async (token: string): Promise<VerifiedToken> => {
    const kid = decodeProtectedHeader(token).kid;
    const candidates = deps.keys.filter((k) => kid === undefined || kid === '' || k.kid === kid);
    for (const candidate of candidates) {
      try {
        const { payload } = await jwtVerify(token, candidate.key, {
          issuer: [...config.issuers],
          algorithms: candidate.key.asymmetricKeyType === 'rsa' ? ['RS256', 'RS384', 'RS512'] : ['ES256', 'ES384', 'ES512'],
          currentDate: new Date(nowMs()),
          requiredClaims: ['sub', 'exp'],
        });
        const claims = readClaims(payload['kubernetes.io']);
        if (payload.sub !== serviceAccountUserName(claims.namespace, claims.serviceaccount.name)) {
          throw new AuthenticationError('service account token: sub claim does not match its private claims');
        }
        const audiences = typeof payload.aud === 'string' ? [payload.aud] : (payload.aud ?? []);
        return {
          audiences: audiences.length === 0 ? config.apiAudiences : audiences,
          claims,
          jti: payload.jti,
          expiresMs: (payload.exp ?? 0) * 1000,
          notBeforeMs: (payload.nbf ?? 0) * 1000,
        };
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) continue;
        if (error instanceof errors.JWTExpired) throw new AuthenticationError('service account token has expired');
        if (error instanceof errors.JOSEError) throw new AuthenticationError(`service account token is not valid: ${error.message}`);
        throw error;
      }
    }
    throw new AuthenticationError('service account token: failed to verify signature');
  };

  /** The bound object must still be the one with that uid. */
  const checkBound = (what: string, definition: ResourceDefinition, namespace: string, reference: Reference): void => {
    const metadata = objects.get(definition, namespace, reference.name)?.metadata;
    if (metadata === undefined || metadata.uid !== reference.uid)
      throw new AuthenticationError(`service account token has been invalidated: ${what} is gone`);
    if (metadata.deletionTimestamp !== undefined && Date.parse(metadata.deletionTimestamp) + deletionLeewayMs < nowMs()) {
      throw new AuthenticationError(`service account token has been invalidated: ${what} was deleted`);
    }
  };

  return {
    name: 'service-account',
    authenticateToken: async (token, audiences) => {
      let found = verified.get(token);
      if (found === undefined) {
        let issuer: string | undefined;
        try {
          issuer = decodeJwt(token).iss;
        } catch {
          return undefined;
        }
        if (issuer === undefined || !config.issuers.includes(issuer)) return undefined;
        found = await verify(token);
        if (verified.size >= cacheLimit) verified.clear();
        verified.set(token, found);
      }
      const now = nowMs();
      if (now >= found.expiresMs) {
        verified.delete(token);
        throw new AuthenticationError('service account token has expired');
      }
      if (now < found.notBeforeMs) throw new AuthenticationError('service account token is not valid yet');
      const accepted = audiences.length === 0 ? found.audiences : found.audiences.filter((a) => audiences.includes(a));
      if (accepted.length === 0)
        throw new AuthenticationError(
          `token audiences ${JSON.stringify(found.audiences)} is invalid for the target audiences ${JSON.stringify(audiences)}`,
        );
      const { claims } = found;
      checkBound('service account', serviceAccount, claims.namespace, claims.serviceaccount);
      if (claims.pod !== undefined) checkBound('pod', pod, claims.namespace, claims.pod);
      if (claims.secret !== undefined) checkBound('secret', secret, claims.namespace, claims.secret);
      if (claims.node !== undefined && claims.pod === undefined) checkBound('node', node, '', claims.node);
      return { user: userOf(claims, found.jti), audiences: accepted };
    },
  };
}

function userOf(claims: PrivateClaims, jti: string | undefined): UserInfo {
  const prefix = 'authentication.kubernetes.io';
  const extra: Record<string, readonly string[]> = {};
  if (jti !== undefined && jti !== '') extra[`${prefix}/credential-id`] = [`JTI=${jti}`];
  if (claims.pod !== undefined) {
    extra[`${prefix}/pod-name`] = [claims.pod.name];
    extra[`${prefix}/pod-uid`] = [claims.pod.uid];
  }
  if (claims.node !== undefined) {
    extra[`${prefix}/node-name`] = [claims.node.name];
    extra[`${prefix}/node-uid`] = [claims.node.uid];
  }
  return {
    name: serviceAccountUserName(claims.namespace, claims.serviceaccount.name),
    uid: claims.serviceaccount.uid,
    groups: serviceAccountGroups(claims.namespace),
    extra,
  };
}
