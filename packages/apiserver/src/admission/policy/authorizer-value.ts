import { type AuthorizationAnswer, type AuthorizationQuestion, createAuthorizerValue, requestResource, type Value } from '@skiff/cel';
import { type Authorizer, type Decision, resourceAttributes } from '../../authz/authorizer.ts';
import type { AdmissionRequest, UserInfo } from '../../contract.ts';
import { requestNamespace } from './request-view.ts';

const serviceAccountUser = ({ namespace, name }: { namespace: string; name: string }): UserInfo => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
});

const answerOf = ({ decision, reason }: Decision): AuthorizationAnswer => ({ allowed: decision === 'allow', reason });

function ask(authorizer: Authorizer, user: UserInfo, q: AuthorizationQuestion): AuthorizationAnswer | Promise<AuthorizationAnswer> {
  const who = q.serviceAccount === undefined ? user : serviceAccountUser(q.serviceAccount);
  const decided = authorizer.authorize(
    q.path === undefined
      ? resourceAttributes(who, {
          verb: q.verb,
          group: q.group,
          version: '*',
          resource: q.resource,
          subresource: q.subresource,
          namespace: q.namespace,
          name: q.name,
          ...(q.fieldSelector === '' ? {} : { fieldSelector: q.fieldSelector }),
          ...(q.labelSelector === '' ? {} : { labelSelector: q.labelSelector }),
        })
      : resourceAttributes(who, { verb: q.verb, isResourceRequest: false, path: q.path }),
  );
  return decided instanceof Promise ? decided.then(answerOf) : answerOf(decided);
}

/** The variables `authorizer` and `authorizer.requestResource` of one request. Each question is asked once. */
export function authorizerVariables(r: AdmissionRequest, authorizer: Authorizer): Readonly<Record<string, Value>> {
  const value = createAuthorizerValue((question) => ask(authorizer, r.user, question));
  const { group, plural } = r.definition;
  const about = { group, resource: plural, subresource: r.subresource, namespace: requestNamespace(r), name: r.name };
  return { authorizer: value, 'authorizer.requestResource': requestResource(value, about) };
}
