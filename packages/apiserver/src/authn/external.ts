import { type Clock, followFile, type Logger } from '@skiff/component-base';
import { readRemoteServer } from '../remote/kubeconfig.ts';
import { createRemoteClient, type RemoteClient } from '../remote/remote-client.ts';
import { AuthenticationError, type TokenAuthenticator } from './authenticator.ts';
import type { ExternalAuthenticationConfig } from './external-flags.ts';
import {
  type AnonymousConfig,
  type AuthenticationConfiguration,
  type JwtAuthenticatorConfig,
  parseAuthenticationConfig,
  readAuthenticationConfig,
} from './jwt/authentication-config.ts';
import { createJwtAuthenticator } from './jwt/jwt-authenticator.ts';
import { createFetchJson, createKeySet, type FetchJson } from './jwt/key-set.ts';
import { createTokenWebhook } from './token-webhook.ts';
import { readTokenFile } from './token-file.ts';

/** Users that are known elsewhere. */
export interface ExternalAuthentication extends Disposable {
  /** Asked before those that this server makes. */
  readonly before: readonly TokenAuthenticator[];
  readonly after: readonly TokenAuthenticator[];
  /** undefined: the configuration says nothing about it. */
  anonymous(): AnonymousConfig | undefined;
  /** Uses what the AuthenticationConfiguration says now, when it has changed. Resolves when aborted. */
  follow(signal: AbortSignal): Promise<void>;
}

/** Each issuer's tokens are tried by its own authenticator alone. */
function jwtAuthenticators(
  configs: readonly JwtAuthenticatorConfig[],
  deps: { clock: Clock; fetchJson: (ca: string | undefined) => FetchJson },
): TokenAuthenticator {
  const all = configs.map((config) =>
    createJwtAuthenticator(config, {
      keySet: createKeySet(config, { fetchJson: deps.fetchJson(config.ca), clock: deps.clock }),
      clock: deps.clock,
    }),
  );
  return {
    name: 'jwt',
    authenticateToken: async (token, audiences) => {
      const problems: string[] = [];
      for (const a of all) {
        try {
          const found = await a.authenticateToken(token, audiences);
          if (found !== undefined) return found;
        } catch (error) {
          if (!(error instanceof AuthenticationError)) throw error;
          problems.push(error.message);
        }
      }
      if (problems.length > 0) throw new AuthenticationError(problems.join(', '));
      return undefined;
    },
  };
}

/** Reads the files that the configuration names. Throws when one is absent or wrong. */
export function openExternalAuthentication(
  config: ExternalAuthenticationConfig,
  deps: { ownIssuers: readonly string[]; clock: Clock; log: Logger; fetchJson?: (ca: string | undefined) => FetchJson },
): ExternalAuthentication {
  const { clock, log, fetchJson = createFetchJson } = deps;
  const { file, tokenWebhook } = config;
  let configuration: AuthenticationConfiguration =
    file === undefined
      ? { jwt: config.oidc === undefined ? [] : [config.oidc], anonymous: undefined }
      : readAuthenticationConfig(file, deps.ownIssuers);
  let jwt = jwtAuthenticators(configuration.jwt, { clock, fetchJson });
  const remote: RemoteClient | undefined =
    tokenWebhook === undefined
      ? undefined
      : createRemoteClient(readRemoteServer(tokenWebhook.configFile, 'authentication-token-webhook-config-file'));
  return {
    before: config.tokenFile === undefined ? [] : [readTokenFile(config.tokenFile)],
    after: [
      { name: 'jwt', authenticateToken: (token, audiences) => jwt.authenticateToken(token, audiences) },
      ...(remote === undefined || tokenWebhook === undefined ? [] : [createTokenWebhook(tokenWebhook, { client: remote, clock })]),
    ],
    anonymous: () => configuration.anonymous,
    follow: async (signal) => {
      if (file === undefined) return;
      const use = (text: string): void => {
        configuration = parseAuthenticationConfig(text, deps.ownIssuers);
        jwt = jwtAuthenticators(configuration.jwt, { clock, fetchJson });
        log.info({ file }, 'the authentication configuration has changed; using the new one');
      };
      const failed = (error: unknown): void =>
        log.error({ err: error, file }, 'the authentication configuration could not be reloaded; keeping the old one');
      await followFile(file, { clock, use, failed }, signal);
    },
    [Symbol.dispose]: () => remote?.[Symbol.dispose](),
  };
}
