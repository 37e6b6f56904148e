import type {
  LocalSubjectAccessReview,
  NonResourceAttributes,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
  SubjectAccessReviewStatus,
} from '@skiff/api';
import { badRequest, FieldErrors, invalid, type ObjectMeta } from '@skiff/apimachinery';
import { type AuthorizationAttributes, type Authorizer, resourceAttributes } from '../authz/authorizer.ts';
import { nodeIdentity } from '../authz/node.ts';
import type { Authorization } from '../authz/authorization.ts';
import type { UserInfo } from '../contract.ts';
import { fieldSelectorOf, labelSelectorOf, validateSelectors } from './selector-attributes.ts';

const group = 'authorization.k8s.io';

/** What is asked, and what of it could not be understood. */
interface Question {
  readonly attributes: AuthorizationAttributes;
  readonly problems: readonly string[];
}

function questionOf(user: UserInfo, resource: ResourceAttributes | undefined, nonResource: NonResourceAttributes | undefined): Question {
  if (resource === undefined) {
    const asked = resourceAttributes(user, { verb: nonResource?.verb ?? '' });
    return { attributes: { ...asked, isResourceRequest: false, path: nonResource?.path ?? '' }, problems: [] };
  }
  const fields = fieldSelectorOf(resource.fieldSelector);
  const labels = labelSelectorOf(resource.labelSelector);
  const attributes = resourceAttributes(user, {
    verb: resource.verb ?? '',
    group: resource.group ?? '',
    version: resource.version || '*',
    resource: resource.resource ?? '',
    subresource: resource.subresource ?? '',
    namespace: resource.namespace ?? '',
    name: resource.name ?? '',
    ...(fields.text === undefined ? {} : { fieldSelector: fields.text }),
    ...(labels.text === undefined ? {} : { labelSelector: labels.text }),
  });
  const problems = Object.entries({ fieldSelector: fields, labelSelector: labels }).flatMap(([name, { ignored }]) =>
    ignored === 'none' ? [] : [`spec.resourceAttributes.${name} ${ignored === 'some' ? 'partially ' : ''}ignored due to parse error`],
  );
  return { attributes, problems };
}

const userOf = (spec: SubjectAccessReviewSpec): UserInfo => ({
  name: spec.user ?? '',
  groups: spec.groups ?? [],
  ...(spec.uid === undefined || spec.uid === '' ? {} : { uid: spec.uid }),
  ...(spec.extra === undefined ? {} : { extra: spec.extra }),
});

async function decide(authorizer: Authorizer, { attributes, problems }: Question): Promise<SubjectAccessReviewStatus> {
  const d = await authorizer.authorize(attributes);
  return {
    allowed: d.decision === 'allow',
    ...(d.decision === 'deny' ? { denied: true } : {}),
    ...(d.reason === '' ? {} : { reason: d.reason }),
    ...(problems.length === 0 ? {} : { evaluationError: problems.join('; ') }),
  };
}

const isEmptyMetadata = (m: ObjectMeta | undefined, except: readonly (keyof ObjectMeta)[] = []): boolean =>
  Object.entries(m ?? {}).every(
    ([key, value]) =>
      value === undefined || value === null || value === '' || key === 'managedFields' || except.includes(key as keyof ObjectMeta),
  );

type ReviewSpec = Pick<SubjectAccessReviewSpec, 'resourceAttributes' | 'nonResourceAttributes'>;

function validateAttributes(spec: ReviewSpec, errors: FieldErrors): void {
  if (spec.resourceAttributes !== undefined && spec.nonResourceAttributes !== undefined) {
    const { path: Path = '', verb: Verb = '' } = spec.nonResourceAttributes;
    errors.invalid('spec.nonResourceAttributes', { Path, Verb }, 'cannot be specified in combination with resourceAttributes');
  }
  if (spec.resourceAttributes === undefined && spec.nonResourceAttributes === undefined) {
    errors.invalid('spec.resourceAttributes', null, 'exactly one of nonResourceAttributes or resourceAttributes must be specified');
  }
}

function validateSubject(spec: SubjectAccessReviewSpec, errors: FieldErrors): void {
  if ((spec.user ?? '') === '' && (spec.groups ?? []).length === 0)
    errors.invalid('spec.user', spec.user ?? '', 'at least one of user or group must be specified');
}

/** Upstream names no kind there. */
function throwIfInvalid(errors: FieldErrors): void {
  if (!errors.empty) throw invalid({ group, kind: '' }, '', errors.list);
}

/** May that user do that? */
export async function reviewSubjectAccess(authorizer: Authorizer, review: SubjectAccessReview): Promise<SubjectAccessReview> {
  const errors = new FieldErrors();
  validateAttributes(review.spec, errors);
  validateSubject(review.spec, errors);
  validateSelectors(review.spec.resourceAttributes, errors);
  if (!isEmptyMetadata(review.metadata)) errors.invalid('metadata', review.metadata, 'must be empty');
  throwIfInvalid(errors);
  return {
    ...review,
    status: await decide(authorizer, questionOf(userOf(review.spec), review.spec.resourceAttributes, review.spec.nonResourceAttributes)),
  };
}

/** The same within one namespace, so that asking can be granted there alone. */
export async function reviewLocalSubjectAccess(
  authorizer: Authorizer,
  review: LocalSubjectAccessReview,
  namespace: string,
): Promise<LocalSubjectAccessReview> {
  const errors = new FieldErrors();
  const own = review.metadata?.namespace ?? '';
  validateAttributes(review.spec, errors);
  validateSubject(review.spec, errors);
  validateSelectors(review.spec.resourceAttributes, errors);
  if (!isEmptyMetadata(review.metadata, ['namespace'])) errors.invalid('metadata', review.metadata, 'must be empty except for namespace');
  const asked = review.spec.resourceAttributes;
  if (asked !== undefined && (asked.namespace ?? '') !== own)
    errors.invalid('spec.resourceAttributes.namespace', asked.namespace ?? '', 'must match metadata.namespace');
  if (review.spec.nonResourceAttributes !== undefined)
    errors.invalid('spec.nonResourceAttributes', review.spec.nonResourceAttributes, 'disallowed on this kind of request');
  throwIfInvalid(errors);
  if (namespace !== own) throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
  return { ...review, status: await decide(authorizer, questionOf(userOf(review.spec), asked, undefined)) };
}

/** May I? (`kubectl auth can-i`) */
export async function reviewSelfSubjectAccess(
  authorizer: Authorizer,
  review: SelfSubjectAccessReview,
  user: UserInfo,
): Promise<SelfSubjectAccessReview> {
  const errors = new FieldErrors();
  validateAttributes(review.spec, errors);
  validateSelectors(review.spec.resourceAttributes, errors);
  if (!isEmptyMetadata(review.metadata)) errors.invalid('metadata', review.metadata, 'must be empty');
  throwIfInvalid(errors);
  return {
    ...review,
    status: await decide(authorizer, questionOf(user, review.spec.resourceAttributes, review.spec.nonResourceAttributes)),
  };
}

/** What may I? (`kubectl auth can-i --list`) RBAC can tell; the Node authorizer can't, which makes the list incomplete for nodes. */
export function reviewSelfSubjectRules(
  { rules, webhooks }: Pick<Authorization, 'rules' | 'webhooks'>,
  review: SelfSubjectRulesReview,
  user: UserInfo,
): SelfSubjectRulesReview {
  const namespace = review.spec.namespace ?? '';
  if (namespace === '') throw badRequest('no namespace on request');
  const found = rules.rulesFor(user, namespace);
  const isNode = nodeIdentity(user) !== undefined;
  const silent = [
    ...(isNode ? ['node authorizer does not support user rule resolution'] : []),
    ...Array.from({ length: webhooks() }, () => 'webhook authorizer does not support user rule resolution'),
  ];
  const problems = [...new Set(silent), ...found.problems];
  return {
    ...review,
    spec: {},
    status: {
      resourceRules: found.rules
        .filter((r) => (r.resources ?? []).length > 0)
        .map((r) => ({
          verbs: [...(r.verbs ?? [])],
          apiGroups: [...(r.apiGroups ?? [])],
          resources: [...(r.resources ?? [])],
          ...(r.resourceNames === undefined ? {} : { resourceNames: [...r.resourceNames] }),
        })),
      nonResourceRules: found.rules
        .filter((r) => (r.nonResourceURLs ?? []).length > 0)
        .map((r) => ({ verbs: [...(r.verbs ?? [])], nonResourceURLs: [...(r.nonResourceURLs ?? [])] })),
      incomplete: silent.length > 0,
      ...(problems.length === 0 ? {} : { evaluationError: problems.join('; ') }),
    },
  };
}
