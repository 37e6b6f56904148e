import type { UserInfo } from '../contract.ts';
import type { Exchange } from '../server/exchange.ts';

export const anonymousUser: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
export const mastersGroup = 'system:masters';
export const authenticatedGroup = 'system:authenticated';

/** undefined: not my kind of credential. Throw AuthenticationError: mine, and bad. */
export interface RequestAuthenticator {
  readonly name: string;
  authenticate(x: Exchange): UserInfo | undefined | Promise<UserInfo | undefined>;
}

/** Like RequestAuthenticator, for a bearer token. `audiences` are those the caller accepts; [] = any. */
export interface TokenAuthenticator {
  readonly name: string;
  authenticateToken(token: string, audiences: readonly string[]): Promise<{ user: UserInfo; audiences: readonly string[] } | undefined>;
}

/** For tokens that say nothing of audiences: they are for `own`, whoever asks. */
export function withOwnAudiences(a: TokenAuthenticator, own: readonly string[]): TokenAuthenticator {
  return {
    name: a.name,
    authenticateToken: async (token, audiences) => {
      const accepted = audiences.length === 0 ? own : own.filter((audience) => audiences.includes(audience));
      if (accepted.length === 0) return undefined;
      const found = await a.authenticateToken(token, audiences);
      return found === undefined ? undefined : { ...found, audiences: accepted };
    },
  };
}

/** A credential that was presented and is no good. The text goes to logs and TokenReviews, never to the client itself. */
export class AuthenticationError extends Error {}

/** As upstream's group adder: everyone but anonymous users is in `system:authenticated`. */
export function withAuthenticatedGroup(user: UserInfo): UserInfo {
  if (user.name === anonymousUser.name || user.groups.includes(authenticatedGroup) || user.groups.includes('system:unauthenticated'))
    return user;
  return { ...user, groups: [...user.groups, authenticatedGroup] };
}
