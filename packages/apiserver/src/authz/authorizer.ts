import { forbidden, type StatusError } from '@skiff/apimachinery';
import type { RequestInfo, UserInfo } from '../contract.ts';

/** What is to be decided: a RequestInfo, or what a review makes up. */
export interface AuthorizationAttributes {
  readonly user: UserInfo;
  readonly verb: string;
  readonly isResourceRequest: boolean;
  readonly path: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

export interface Decision {
  readonly decision: 'allow' | 'deny' | 'no-opinion';
  readonly reason: string;
}

export interface Authorizer {
  readonly name: string;
  /** A promise only where others have to be asked: most decisions are made at once, and that is cheaper. */
  authorize(a: AuthorizationAttributes): Decision | Promise<Decision>;
}

/** One that needs nobody else. */
export interface ImmediateAuthorizer extends Authorizer {
  authorize(a: AuthorizationAttributes): Decision;
}

export const noOpinion: Decision = { decision: 'no-opinion', reason: '' };

/** Asks each in order; the first that allows or denies decides. Without one: no, with every reason given. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return {
    name: 'union',
    authorize: (a) => {
      const reasons: string[] = [];
      const from = (start: number): Decision | Promise<Decision> => {
        for (let i = start; i < authorizers.length; i++) {
          const d = authorizers[i]?.authorize(a) ?? noOpinion;
          if (d instanceof Promise) return d.then((late) => settled(late) ?? from(i + 1));
          const decided = settled(d);
          if (decided !== undefined) return decided;
        }
        return { decision: 'no-opinion', reason: reasons.join('\n') };
      };
      const settled = (d: Decision): Decision | undefined => {
        if (d.decision !== 'no-opinion') return d;
        if (d.reason !== '') reasons.push(d.reason);
        return undefined;
      };
      return from(0);
    },
  };
}

export const attributesOf = (user: UserInfo, info: RequestInfo): AuthorizationAttributes => ({
  user,
  verb: info.verb,
  isResourceRequest: info.isResourceRequest,
  path: info.path,
  group: info.group,
  version: info.version,
  resource: info.resource,
  subresource: info.subresource,
  namespace: info.namespace,
  name: info.name,
  ...(info.fieldSelector === undefined ? {} : { fieldSelector: info.fieldSelector }),
  ...(info.labelSelector === undefined ? {} : { labelSelector: info.labelSelector }),
});

/** Attributes of a resource request that isn't the request itself, with what is left out empty. */
export const resourceAttributes = (user: UserInfo, a: Partial<AuthorizationAttributes> & { verb: string }): AuthorizationAttributes => ({
  isResourceRequest: true,
  path: '',
  group: '',
  version: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  ...a,
  user,
});

const quote = (s: string): string => JSON.stringify(s);
const sanitize = (s: string): string => s.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function describe(a: AuthorizationAttributes): string {
  const who = `User ${quote(a.user.name)} cannot ${a.verb}`;
  if (!a.isResourceRequest) return `${who} path ${quote(a.path)}`;
  const resource = a.subresource === '' ? a.resource : `${a.resource}/${a.subresource}`;
  const scope = a.namespace === '' ? 'at the cluster scope' : `in the namespace ${quote(a.namespace)}`;
  return `${who} resource ${quote(resource)} in API group ${quote(a.group)} ${scope}`;
}

/** The 403 in upstream's words. */
export function forbiddenError(a: AuthorizationAttributes, reason: string): StatusError {
  const text = sanitize(describe(a));
  return forbidden({ group: a.group, resource: a.resource }, a.name, reason === '' ? text : `${text}: ${reason}`);
}
