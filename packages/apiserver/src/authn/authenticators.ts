import type { Logger } from '@skiff/component-base';
import type { ApiServerConfig } from '../config.ts';
import type { ObjectAccess, UserInfo } from '../contract.ts';
import type { Exchange } from '../server/exchange.ts';
import type { TlsMaterial } from '../server/tls-files.ts';
import { authenticateToken, createAuthentication } from './authentication.ts';
import { createLegacyTokenAuthenticator } from './legacy-token.ts';
import type { ExternalAuthentication } from './external.ts';
import { type TokenAuthenticator, withOwnAudiences } from './authenticator.ts';
import { createBootstrapTokenAuthenticator } from './bootstrap-token.ts';
import { createClientCertificateAuthenticator } from './client-certificate.ts';
import { createRevocations } from './revocations.ts';
import { createRequestHeaderAuthenticator } from './request-header.ts';
import { createServiceAccountTokenAuthenticator, type VerificationKey } from './service-account-token.ts';

export interface Authentication {
  /** Throws Unauthorized. */
  authenticate(x: Exchange): Promise<UserInfo>;
  /** For TokenReviews. undefined or AuthenticationError: the token is no good. */
  authenticateToken(token: string, audiences: readonly string[]): ReturnType<typeof authenticateToken>;
}

/** Every way to prove who one is, in the order in which they are asked. */
export function createAuthenticators(
  config: ApiServerConfig,
  deps: {
    objects: ObjectAccess;
    keys: readonly VerificationKey[];
    material: () => TlsMaterial;
    nowMs: () => number;
    log: Logger;
    external?: ExternalAuthentication | undefined;
  },
): Authentication {
  const { objects, nowMs } = deps;
  const agnostic = (a: TokenAuthenticator): TokenAuthenticator => withOwnAudiences(a, config.serviceAccounts.audiences);
  const tokens: readonly TokenAuthenticator[] = [
    ...(deps.external?.before ?? []).map(agnostic),
    createServiceAccountTokenAuthenticator(
      { issuers: config.serviceAccounts.issuers, apiAudiences: config.serviceAccounts.audiences },
      { keys: deps.keys, objects, nowMs },
    ),
    agnostic(createLegacyTokenAuthenticator({ keys: deps.keys, objects, nowMs, log: deps.log })),
    ...(config.bootstrapTokens ? [agnostic(createBootstrapTokenAuthenticator({ objects, nowMs }))] : []),
    ...(deps.external?.after ?? []).map((a) => (a.name === 'token-webhook' ? a : agnostic(a))),
  ];
  return {
    authenticate: createAuthentication(
      {
        requests: [
          createRequestHeaderAuthenticator({
            bundle: () => deps.material().requestHeaderCa,
            allowedNames: config.requestHeaderAllowedNames,
            nowMs,
          }),
          createClientCertificateAuthenticator({
            bundle: () => deps.material().clientCa,
            nowMs,
            revokedBefore: createRevocations({ objects, log: deps.log }),
          }),
        ],
        tokens,
        audiences: config.serviceAccounts.audiences,
        anonymous: (path) => {
          const rule = deps.external?.anonymous();
          if (rule === undefined) return config.anonymous;
          return rule.enabled && (rule.paths === undefined || rule.paths.includes(path));
        },
      },
      { log: deps.log },
    ),
    authenticateToken: (token, audiences) =>
      authenticateToken(tokens, token, audiences.length === 0 ? config.serviceAccounts.audiences : audiences),
  };
}
