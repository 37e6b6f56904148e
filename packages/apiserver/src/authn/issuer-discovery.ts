import type { ServiceAccountConfig } from '../config.ts';
import type { PathRoute } from '../paths.ts';
import type { VerificationKey } from './service-account-token.ts';

/** OpenID discovery of the ServiceAccount issuer (KEP-1393), for others who verify its tokens. */
export function issuerDiscoveryRoutes(
  config: ServiceAccountConfig,
  keys: readonly VerificationKey[],
  serverAddress: () => string,
): readonly PathRoute[] {
  const jwks = {
    keys: keys.map(({ kid, key }) => ({
      use: 'sig',
      kid,
      alg: key.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256',
      ...key.export({ format: 'jwk' }),
    })),
  };
  const headers = { 'cache-control': 'public, max-age=3600' };
  const document = (contentType: string, value: unknown) => ({
    code: 200,
    contentType,
    body: [Buffer.from(JSON.stringify(value))],
    headers,
  });
  return [
    {
      path: '/.well-known/openid-configuration',
      handle: () =>
        document('application/json', {
          issuer: config.issuers[0],
          jwks_uri: config.jwksUri ?? `https://${serverAddress()}/openid/v1/jwks`,
          response_types_supported: ['id_token'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: [...new Set(jwks.keys.map((k) => k.alg))],
        }),
    },
    { path: '/openid/v1/jwks', handle: () => document('application/jwk-set+json', jwks) },
  ];
}
