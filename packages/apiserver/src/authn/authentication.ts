import type { Logger } from '@skiff/component-base';
import { unauthorized } from '@skiff/apimachinery';
import type { UserInfo } from '../contract.ts';
import { decodePath } from '../request/request-info.ts';
import { type Exchange, header } from '../server/exchange.ts';
import {
  AuthenticationError,
  anonymousUser,
  type RequestAuthenticator,
  type TokenAuthenticator,
  withAuthenticatedGroup,
} from './authenticator.ts';

const websocketBearerPrefix = 'base64url.bearer.authorization.k8s.io.';

/** The bearer token of a request: from Authorization, or for browsers' WebSockets from the subprotocol list. */
export function bearerToken(x: Exchange): string | undefined {
  const match = /^Bearer\s+(\S+)\s*$/i.exec(header(x.request, 'authorization'));
  if (match?.[1] !== undefined) return match[1];
  if (x.upgrade === undefined) return undefined;
  for (const protocol of header(x.request, 'sec-websocket-protocol').split(',')) {
    const name = protocol.trim();
    if (name.startsWith(websocketBearerPrefix)) return Buffer.from(name.slice(websocketBearerPrefix.length), 'base64url').toString('utf8');
  }
  return undefined;
}

/** Tries each in order; a bad token for one may be good for another. Throws AuthenticationError when it belonged to someone and was bad. */
export async function authenticateToken(
  authenticators: readonly TokenAuthenticator[],
  token: string,
  audiences: readonly string[],
): Promise<{ user: UserInfo; audiences: readonly string[] } | undefined> {
  const problems: string[] = [];
  for (const a of authenticators) {
    try {
      const found = await a.authenticateToken(token, audiences);
      if (found !== undefined) return { ...found, user: withAuthenticatedGroup(found.user) };
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) throw new AuthenticationError(problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`);
  return undefined;
}

/** As authorizers see it. */
function pathOf(x: Exchange): string {
  const url = x.request.url ?? '/';
  const question = url.indexOf('?');
  return decodePath(question < 0 ? url : url.slice(0, question));
}

export interface AuthenticationConfig {
  /** In order: the first that knows the credential decides. */
  readonly requests: readonly RequestAuthenticator[];
  readonly tokens: readonly TokenAuthenticator[];
  readonly audiences: readonly string[];
  /** May a request for this path come without credentials? */
  readonly anonymous: (path: string) => boolean;
}

/**
 * Who sends this request. A good credential of any kind wins over bad ones; bad ones without a good one are 401, also where
 * anonymous requests are allowed.
 */
export function createAuthentication(config: AuthenticationConfig, deps: { log: Logger }): (x: Exchange) => Promise<UserInfo> {
  return async (x) => {
    const problems: string[] = [];
    for (const a of config.requests) {
      try {
        const user = await a.authenticate(x);
        if (user !== undefined) return withAuthenticatedGroup(user);
      } catch (error) {
        if (!(error instanceof AuthenticationError)) throw error;
        problems.push(`${a.name}: ${error.message}`);
      }
    }
    const token = bearerToken(x);
    if (token !== undefined) {
      try {
        const found = await authenticateToken(config.tokens, token, config.audiences);
        if (found !== undefined) return found.user;
        problems.push('invalid bearer token');
      } catch (error) {
        if (!(error instanceof AuthenticationError)) throw error;
        problems.push(`invalid bearer token: ${error.message}`);
      }
    }
    if (problems.length > 0) {
      deps.log.warn({ problems, from: x.connection.remoteAddress }, 'request could not be authenticated');
      throw unauthorized();
    }
    if (!config.anonymous(pathOf(x))) throw unauthorized();
    return anonymousUser;
  };
}
