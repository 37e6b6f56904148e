import { badRequest } from '@skiff/apimachinery';
import type { UserInfo } from '../contract.ts';
import { type Authorizer, forbiddenError, resourceAttributes } from '../authz/authorizer.ts';
import { type Exchange, header, headerValues } from '../server/exchange.ts';
import { anonymousUser, authenticatedGroup } from './authenticator.ts';
import { extraHeaders } from './request-header.ts';
import { parseServiceAccountUserName, serviceAccountGroups } from './service-account-token.ts';

const extraPrefix = 'impersonate-extra-';

/**
 * As whom the request is made: the user, or whom the Impersonate-… headers name, if the user may impersonate all of it.
 * Throws Forbidden, and BadRequest when groups, uid or extra come without a user.
 */
export function impersonate(x: Exchange, user: UserInfo, authorizer: Authorizer): UserInfo {
  const name = header(x.request, 'impersonate-user');
  const groups = headerValues(x.request, 'impersonate-group');
  const uid = header(x.request, 'impersonate-uid');
  const extra = extraHeaders(x, extraPrefix);
  const hasExtra = Object.keys(extra).length > 0;
  if (name === '') {
    if (groups.length > 0 || uid !== '' || hasExtra)
      throw badRequest('requested group, uid or extra impersonation without impersonating a user');
    return user;
  }
  const check = (a: { group?: string; resource: string; subresource?: string; namespace?: string; name: string }): void => {
    const attributes = resourceAttributes(user, { verb: 'impersonate', version: 'v1', ...a });
    const d = authorizer.authorize(attributes);
    if (d.decision !== 'allow') throw forbiddenError(attributes, d.reason);
  };
  const account = parseServiceAccountUserName(name);
  if (account !== undefined) check({ resource: 'serviceaccounts', namespace: account.namespace, name: account.name });
  else check({ resource: 'users', name });
  for (const group of groups) check({ resource: 'groups', name: group });
  if (uid !== '') check({ group: 'authentication.k8s.io', resource: 'uids', name: uid });
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values) check({ group: 'authentication.k8s.io', resource: 'userextras', subresource: key, name: value });
  }
  const base = groups.length > 0 || account === undefined ? [...groups] : [...serviceAccountGroups(account.namespace)];
  const everyone = name === anonymousUser.name ? 'system:unauthenticated' : authenticatedGroup;
  if (!base.includes(everyone)) base.push(everyone);
  return { name, groups: base, ...(uid === '' ? {} : { uid }), ...(hasExtra ? { extra } : {}) };
}
