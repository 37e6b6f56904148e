import { badRequest, isStatusError, type StatusError } from '@skiff/apimachinery';
import type { UserInfo } from '../contract.ts';
import { type AuthorizationAttributes, type Authorizer, forbiddenError, resourceAttributes } from '../authz/authorizer.ts';
import { type Exchange, header, headerValues } from '../server/exchange.ts';
import { anonymousUser, authenticatedGroup, mastersGroup } from './authenticator.ts';
import { extraHeaders } from './request-header.ts';
import { parseServiceAccountUserName, serviceAccountGroups } from './service-account-token.ts';

const extraPrefix = 'impersonate-extra-';
const unauthenticatedGroup = 'system:unauthenticated';
const nodePrefix = 'system:node:';
const authn = 'authentication.k8s.io';
const nodeNameExtra = `authentication.kubernetes.io/node-name`;
const associatedNodeVerb = 'impersonate:associated-node';
/** From so many checks on, one for all of them is tried first. */
const manyChecks = 4;

/** Whom the headers ask for. */
interface Wanted {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** As whom the request goes on; `constraint`: the verb that allowed it, in the constrained modes (KEP-5284). */
export interface Impersonation {
  readonly user: UserInfo;
  readonly constraint?: string;
}

type Check = (a: AuthorizationAttributes) => Promise<void>;

interface Mode {
  /** undefined: the right to impersonate, whatever is done then. */
  readonly constraint: string | undefined;
  applies(wanted: Wanted, requestor: UserInfo): boolean;
}

const onlyName = (w: Wanted): boolean => w.uid === '' && w.groups.length === 0 && Object.keys(w.extra).length === 0;
const nodeNameOf = (user: string): string | undefined => {
  const name = user.startsWith(nodePrefix) ? user.slice(nodePrefix.length) : '';
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name) ? name : undefined;
};

/** A ServiceAccount of a pod on that node. */
function isOnNode(requestor: UserInfo, wanted: string): boolean {
  if (parseServiceAccountUserName(requestor.name) === undefined) return false;
  const names = requestor.extra?.[nodeNameExtra] ?? [];
  return names.length === 1 && names[0] !== '' && wanted === `${nodePrefix}${names[0]}`;
}

/** Narrow rights first; the old one, which allows everything as the other user, last. */
const modes: readonly Mode[] = [
  { constraint: 'associated-node', applies: (w, requestor) => onlyName(w) && isOnNode(requestor, w.name) },
  { constraint: 'arbitrary-node', applies: (w) => onlyName(w) && nodeNameOf(w.name) !== undefined },
  { constraint: 'serviceaccount', applies: (w) => onlyName(w) && parseServiceAccountUserName(w.name) !== undefined },
  {
    constraint: 'user-info',
    applies: (w) => nodeNameOf(w.name) === undefined && parseServiceAccountUserName(w.name) === undefined,
  },
  { constraint: undefined, applies: () => true },
];

function wantedUser(x: Exchange): Wanted | undefined {
  const wanted: Wanted = {
    name: header(x.request, 'impersonate-user'),
    uid: header(x.request, 'impersonate-uid'),
    groups: headerValues(x.request, 'impersonate-group'),
    extra: extraHeaders(x, extraPrefix),
  };
  if (wanted.name !== '') return wanted;
  if (!onlyName(wanted)) throw badRequest('requested group, uid or extra impersonation without impersonating a user name');
  return undefined;
}

/** Nobody behind this needs to know, and no server behind this may take the headers for its own. */
function dropHeaders(x: Exchange): void {
  for (const name of Object.keys(x.request.headers)) if (name.startsWith('impersonate-')) delete x.request.headers[name];
}

function checkExtra(extra: Wanted['extra'], refuse: (why: string) => StatusError): void {
  for (const [key, values] of Object.entries(extra)) {
    if (key === '') throw refuse('impersonating the empty string key in extra is not allowed');
    if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/\S+$/i.test(key))
      throw refuse(
        'impersonating an invalid key in extra is not allowed: extra.key: must be a domain-prefixed path (such as "acme.io/foo")',
      );
    if (key !== key.toLowerCase()) throw refuse(`impersonating a non-lowercase key in extra is not allowed: ${JSON.stringify(key)}`);
    if (values.length === 0) throw refuse('impersonating empty values in extra is not allowed');
    if (values.includes('')) throw refuse('impersonating the empty string value in extra is not allowed');
  }
}

/** Checks every part of the wanted user; returns it as it will be. */
async function assume(mode: Mode, wanted: Wanted, requestor: UserInfo, check: Check): Promise<UserInfo> {
  const constrained = mode.constraint !== undefined;
  const verb = constrained ? `impersonate:${mode.constraint}` : 'impersonate';
  const of = (a: Partial<AuthorizationAttributes>): AuthorizationAttributes =>
    resourceAttributes(requestor, { verb, group: authn, version: 'v1', ...a });
  const named = (a: Partial<AuthorizationAttributes>): AuthorizationAttributes => of({ group: constrained ? authn : '', ...a });
  const account = parseServiceAccountUserName(wanted.name);
  const node = constrained ? nodeNameOf(wanted.name) : undefined;
  // The right is one for all nodes: which one it is, the token has shown.
  if (node !== undefined) await check(named({ resource: 'nodes', name: verb === associatedNodeVerb ? '*' : node }));
  else if (account !== undefined) await check(named({ resource: 'serviceaccounts', namespace: account.namespace, name: account.name }));
  else await check(named({ resource: 'users', name: wanted.name }));

  if (wanted.uid !== '') await check(of({ resource: 'uids', name: wanted.uid }));

  const forGroup = (name: string): AuthorizationAttributes => named({ resource: 'groups', name });
  if (constrained) {
    if (wanted.groups.includes('')) throw forbiddenError(forGroup(''), 'impersonating the empty string group is not allowed');
    if (wanted.groups.includes(mastersGroup))
      throw forbiddenError(forGroup(mastersGroup), `impersonating the ${mastersGroup} group is not allowed`);
    checkExtra(wanted.extra, (why) => forbiddenError(of({ resource: 'userextras' }), why));
  }
  const pairs = Object.entries(wanted.extra).flatMap(([key, values]) => values.map((value) => ({ key, value })));
  const forExtra = (key: string, value: string): AuthorizationAttributes => of({ resource: 'userextras', subresource: key, name: value });
  await checkAll(wanted.groups.map(forGroup), constrained ? forGroup('*') : undefined, check);
  await checkAll(
    pairs.map(({ key, value }) => forExtra(key, value)),
    constrained ? forExtra('*', '*') : undefined,
    check,
  );

  const base =
    node !== undefined
      ? ['system:nodes']
      : wanted.groups.length === 0 && account !== undefined
        ? [...serviceAccountGroups(account.namespace)]
        : [...wanted.groups];
  const everyone = wanted.name === anonymousUser.name ? unauthenticatedGroup : authenticatedGroup;
  if (!base.includes(everyone) && !(everyone === authenticatedGroup && base.includes(unauthenticatedGroup))) base.push(everyone);
  return {
    name: wanted.name,
    groups: base,
    ...(wanted.uid === '' ? {} : { uid: wanted.uid }),
    ...(pairs.length === 0 ? {} : { extra: wanted.extra }),
  };
}

async function checkAll(each: readonly AuthorizationAttributes[], all: AuthorizationAttributes | undefined, check: Check): Promise<void> {
  if (all !== undefined && each.length >= manyChecks) {
    try {
      return await check(all);
    } catch (error) {
      if (!isStatusError(error)) throw error;
    }
  }
  for (const a of each) await check(a);
}

/** To nodes the right is given whatever pod asks: what its token says of the pod must not matter. */
function withoutExtras(user: UserInfo): UserInfo {
  return { ...user, extra: { 'authentication.kubernetes.io/associated-node-keys': Object.keys(user.extra ?? {}).sort() } };
}

/**
 * As whom the request is made: whom the Impersonate-… headers name, if the user may impersonate all of it and, in the constrained modes,
 * may do as such a one what is asked for. undefined: nobody else. Throws Forbidden, and BadRequest when groups, uid or extra come without a user.
 */
export async function impersonate(
  x: Exchange,
  request: AuthorizationAttributes,
  authorizer: Authorizer,
): Promise<Impersonation | undefined> {
  const wanted = wantedUser(x);
  if (wanted === undefined) return undefined;
  let refused: unknown;
  for (const mode of modes) {
    if (!mode.applies(wanted, request.user)) continue;
    const requestor = mode.constraint === 'associated-node' ? withoutExtras(request.user) : request.user;
    const check: Check = async (a) => {
      const d = await authorizer.authorize(a);
      if (d.decision !== 'allow') throw forbiddenError(a, d.reason);
    };
    try {
      if (mode.constraint !== undefined)
        await check({ ...request, user: requestor, verb: `impersonate-on:${mode.constraint}:${request.verb}` });
      const user = await assume(mode, wanted, requestor, check);
      dropHeaders(x);
      return { user, ...(mode.constraint === undefined ? {} : { constraint: `impersonate:${mode.constraint}` }) };
    } catch (error) {
      if (!isStatusError(error)) throw error;
      refused ??= error;
    }
  }
  throw refused;
}
