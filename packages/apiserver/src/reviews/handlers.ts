import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  TokenRequest,
  TokenReview,
} from '@skiff/api';
import { badRequest, type JsonObject, type KubeObject, type ResourceDefinition } from '@skiff/apimachinery';
import { type Clock, formatTime } from '@skiff/component-base';
import type { Authentication } from '../authn/authenticators.ts';
import { AuthenticationError } from '../authn/authenticator.ts';
import type { SigningKey } from '../authn/service-account-keys.ts';
import type { Authorization } from '../authz/authorization.ts';
import type { ApiServerConfig } from '../config.ts';
import type { AdmissionChain, AdmissionRequest, ApiRequest, ObjectAccess, SubresourceHandler, UserInfo } from '../contract.ts';
import { reviewLocalSubjectAccess, reviewSelfSubjectAccess, reviewSelfSubjectRules, reviewSubjectAccess } from './access-review.ts';
import { reviewEndpoint } from './review-endpoint.ts';
import { issueToken } from './token-request.ts';

export interface ReviewDeps {
  readonly objects: ObjectAccess;
  readonly authorization: Authorization;
  readonly authentication: () => Authentication;
  readonly admission: () => AdmissionChain;
  readonly signingKey: SigningKey | undefined;
  readonly clock: Clock;
}

const toUserInfo = (u: UserInfo) => ({
  username: u.name,
  ...(u.uid === undefined ? {} : { uid: u.uid }),
  groups: [...u.groups],
  ...(u.extra === undefined ? {} : { extra: Object.fromEntries(Object.entries(u.extra).map(([k, v]) => [k, [...v]])) }),
});

/** A kind of which only questions are asked, never anything stored. */
function virtual<T extends KubeObject>(
  group: string,
  kind: string,
  resource: string,
  evaluate: (review: T, r: ApiRequest) => T | Promise<T>,
): SubresourceHandler {
  const schemaName = `io.k8s.api.${group.replace('.k8s.io', '')}.v1.${kind}`;
  return {
    group,
    version: 'v1',
    resource,
    subresource: '',
    create: (definition) => reviewEndpoint<T>(definition, '', { group, version: 'v1', kind, schemaName }, evaluate),
  };
}

async function reviewToken(authentication: Authentication, review: TokenReview): Promise<TokenReview> {
  const token = review.spec.token ?? '';
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  try {
    const found = await authentication.authenticateToken(token, review.spec.audiences ?? []);
    if (found === undefined) return { ...review, status: { error: 'invalid bearer token' } };
    return {
      ...review,
      status: {
        authenticated: true,
        user: toUserInfo(found.user),
        ...(found.audiences.length === 0 ? {} : { audiences: [...found.audiences] }),
      },
    };
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error;
    return { ...review, status: { error: `[invalid bearer token, ${error.message}]` } };
  }
}

/** A token is asked for as anything is created: NodeRestriction has its say. */
async function admitToken(chain: AdmissionChain, definition: ResourceDefinition, request: TokenRequest, r: ApiRequest): Promise<void> {
  const attributes: AdmissionRequest = {
    operation: 'CREATE',
    definition,
    subresource: 'token',
    namespace: r.info.namespace,
    name: r.info.name,
    object: request as unknown as JsonObject,
    oldObject: null,
    options: {},
    dryRun: false,
    user: r.user,
    warnings: r.warnings,
    audit: r.audit,
    memo: new Map(),
  };
  await chain.mutate(attributes, r);
  await chain.validate(attributes, r);
}

/** All reviews and the token subresource. */
export function createReviewHandlers(config: ApiServerConfig, deps: ReviewDeps): readonly SubresourceHandler[] {
  const { authorizer } = deps.authorization;
  const authz = 'authorization.k8s.io';
  const authn = 'authentication.k8s.io';
  return [
    virtual<SubjectAccessReview>(authz, 'SubjectAccessReview', 'subjectaccessreviews', (v) => reviewSubjectAccess(authorizer, v)),
    virtual<LocalSubjectAccessReview>(authz, 'LocalSubjectAccessReview', 'localsubjectaccessreviews', (v, r) =>
      reviewLocalSubjectAccess(
        authorizer,
        { ...v, metadata: { ...v.metadata, namespace: v.metadata?.namespace || r.info.namespace } },
        r.info.namespace,
      ),
    ),
    virtual<SelfSubjectAccessReview>(authz, 'SelfSubjectAccessReview', 'selfsubjectaccessreviews', (v, r) =>
      reviewSelfSubjectAccess(authorizer, v, r.user),
    ),
    virtual<SelfSubjectRulesReview>(authz, 'SelfSubjectRulesReview', 'selfsubjectrulesreviews', (v, r) =>
      reviewSelfSubjectRules(deps.authorization, v, r.user),
    ),
    virtual<TokenReview>(authn, 'TokenReview', 'tokenreviews', (v) => reviewToken(deps.authentication(), v)),
    virtual<SelfSubjectReview>(authn, 'SelfSubjectReview', 'selfsubjectreviews', (v, r) => ({
      ...v,
      metadata: { creationTimestamp: formatTime(deps.clock.now()) },
      status: { userInfo: toUserInfo(r.user) },
    })),
    {
      group: '',
      version: 'v1',
      resource: 'serviceaccounts',
      subresource: 'token',
      create: (definition) =>
        reviewEndpoint<TokenRequest>(
          definition,
          'token',
          { group: authn, version: 'v1', kind: 'TokenRequest', schemaName: 'io.k8s.api.authentication.v1.TokenRequest' },
          async (request, r) => {
            await admitToken(deps.admission(), definition, request, r);
            return await issueToken(config.serviceAccounts, deps, {
              request,
              namespace: r.info.namespace,
              name: r.info.name,
              warnings: r.warnings,
              audit: r.audit,
            });
          },
        ),
    },
  ];
}
