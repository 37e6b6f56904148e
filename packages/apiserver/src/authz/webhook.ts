import {
  adapt,
  boolType,
  CelError,
  compile,
  CostLimitExceeded,
  extendEnvironment,
  kubernetesEnvironment,
  listOf,
  mapOf,
  objectType,
  type Program,
  stringType,
} from '@skiff/cel';
import { type JsonObject, parseFieldSelector, parseLabelSelector, SelectorError } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';
import { callReview } from '../remote/review-call.ts';
import type { RemoteClient } from '../remote/remote-client.ts';
import { TtlCache } from '../remote/ttl-cache.ts';
import { type AuthorizationAttributes, type Authorizer, type Decision, noOpinion } from './authorizer.ts';

export interface WebhookAuthorizerConfig {
  readonly name: string;
  /** `authorization.k8s.io/v1` or `…/v1beta1`. */
  readonly apiVersion: string;
  readonly timeoutMs: number;
  /** How long answers hold; 0 = not at all. */
  readonly allowedTtlMs: number;
  readonly refusedTtlMs: number;
  /** What counts when it can't be asked, or a condition fails. */
  readonly onFailure: 'no-opinion' | 'deny';
  /** All must be true for the webhook to be asked. */
  readonly conditions: readonly Program[];
}

const conditionCostLimit = 1_000_000;
const cacheLimit = 8192;
/** Attributes as long as these are not remembered: anyone can make them up. */
const maxCachedCharacters = 10_000;
const maxWaiting = 1000;

const requirement = { key: stringType, operator: stringType, values: listOf(stringType) };
const selectorOf = (name: string) =>
  objectType(name, { rawSelector: stringType, requirements: listOf(objectType(`${name}Requirement`, requirement)) });
const requestType = objectType('kubernetes.SubjectAccessReviewSpec', {
  user: stringType,
  uid: stringType,
  groups: listOf(stringType),
  extra: mapOf(stringType, listOf(stringType)),
  resourceAttributes: objectType('kubernetes.ResourceAttributes', {
    namespace: stringType,
    verb: stringType,
    group: stringType,
    version: stringType,
    resource: stringType,
    subresource: stringType,
    name: stringType,
    fieldSelector: selectorOf('kubernetes.FieldSelectorAttributes'),
    labelSelector: selectorOf('kubernetes.LabelSelectorAttributes'),
  }),
  nonResourceAttributes: objectType('kubernetes.NonResourceAttributes', { path: stringType, verb: stringType }),
});
const environment = extendEnvironment(kubernetesEnvironment, { variables: { request: requestType } });

/** A condition about a SubjectAccessReview's spec. Throws with what is wrong with it. */
export function compileCondition(expression: string): Program {
  const compiled = compile(expression, environment, [boolType]);
  if (compiled.program === undefined) throw new Error(compiled.error);
  return compiled.program;
}

type Requirements = {
  readonly requirements: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
};

/** What can be said of it; requirements only narrow, so those that can't be said may be left out. */
function fieldRequirements(text: string | undefined): Requirements | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    const all = parseFieldSelector(text).requirements;
    if (all.length === 0) return undefined;
    return { requirements: all.map((q) => ({ key: q.field, operator: q.operator === '=' ? 'In' : 'NotIn', values: [q.value] })) };
  } catch (error) {
    if (error instanceof SelectorError) return undefined;
    throw error;
  }
}

const labelOperators: Readonly<Record<string, string>> = {
  in: 'In',
  '=': 'In',
  '==': 'In',
  notin: 'NotIn',
  '!=': 'NotIn',
  exists: 'Exists',
  '!': 'DoesNotExist',
};

function labelRequirements(text: string | undefined): Requirements | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    const known = parseLabelSelector(text).requirements.flatMap((q) => {
      const operator = labelOperators[q.operator];
      return operator === undefined ? [] : [{ key: q.key, operator, ...(q.values.length === 0 ? {} : { values: q.values }) }];
    });
    return known.length === 0 ? undefined : { requirements: known };
  } catch (error) {
    if (error instanceof SelectorError) return undefined;
    throw error;
  }
}

const present = (fields: Readonly<Record<string, unknown>>): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== undefined && v !== '')) as JsonObject;

/** The question as a SubjectAccessReview's spec. */
export function reviewSpec(a: AuthorizationAttributes): JsonObject {
  const { name: user, uid, groups, extra } = a.user;
  return present({
    resourceAttributes: a.isResourceRequest
      ? present({
          namespace: a.namespace,
          verb: a.verb,
          group: a.group,
          version: a.version,
          resource: a.resource,
          subresource: a.subresource,
          name: a.name,
          fieldSelector: fieldRequirements(a.fieldSelector),
          labelSelector: labelRequirements(a.labelSelector),
        })
      : undefined,
    nonResourceAttributes: a.isResourceRequest ? undefined : present({ path: a.path, verb: a.verb }),
    user,
    groups: groups.length === 0 ? undefined : groups,
    extra: extra !== undefined && Object.keys(extra).length > 0 ? extra : undefined,
    uid,
  });
}

/** True: it is to be asked. Throws when a condition can't be evaluated, and none says no. */
function applies(conditions: readonly Program[], spec: JsonObject): boolean {
  const request = adapt(spec, requestType);
  const problems: string[] = [];
  for (const condition of conditions) {
    try {
      const { value } = condition.evaluate({ request }, conditionCostLimit);
      if (value === false) return false;
      if (value instanceof CelError) problems.push(`expression '${condition.expression}' resulted in error: ${value.message}`);
      else if (value !== true) problems.push(`expression '${condition.expression}' is not a boolean`);
    } catch (error) {
      if (!(error instanceof CostLimitExceeded)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) throw new Error(problems.join('; '));
  return true;
}

const isFields = (v: unknown): v is Readonly<Record<string, unknown>> => typeof v === 'object' && v !== null && !Array.isArray(v);

function readDecision(answer: Readonly<Record<string, unknown>>): Decision {
  const status = answer['status'];
  if (!isFields(status)) throw new Error('the answer has no status');
  const reason = typeof status['reason'] === 'string' ? status['reason'] : '';
  if (status['denied'] === true) return { decision: 'deny', reason };
  return { decision: status['allowed'] === true ? 'allow' : 'no-opinion', reason };
}

function isWorthRemembering(a: AuthorizationAttributes): boolean {
  const parts = [a.namespace, a.verb, a.group, a.version, a.resource, a.subresource, a.name, a.path];
  return parts.reduce((sum, part) => sum + part.length, 0) < maxCachedCharacters;
}

/** A server elsewhere that decides. Its answers hold for a while; equal questions at once are asked once. */
export function createWebhookAuthorizer(
  config: WebhookAuthorizerConfig,
  deps: { client: RemoteClient; clock: Pick<Clock, 'sleep' | 'monotonicMs'>; log: Logger },
): Authorizer {
  const known = new TtlCache<Decision>(cacheLimit, () => deps.clock.monotonicMs());
  const asking = new Map<string, Promise<Decision>>();
  const failed: Decision = { decision: config.onFailure, reason: '' };

  const ask = async (spec: JsonObject): Promise<Decision> => {
    const review = {
      kind: 'SubjectAccessReview',
      apiVersion: config.apiVersion,
      metadata: {},
      spec: versioned(spec),
      status: { allowed: false },
    };
    return readDecision(await callReview(deps.client, review, { timeoutMs: config.timeoutMs, clock: deps.clock }));
  };
  /** v1beta1 calls the groups `group`. */
  const versioned = (spec: JsonObject): JsonObject => {
    if (!config.apiVersion.endsWith('v1beta1') || spec['groups'] === undefined) return spec;
    const { groups, ...rest } = spec;
    return { ...rest, group: groups } as JsonObject;
  };

  return {
    name: config.name,
    authorize: (a) => {
      const spec = reviewSpec(a);
      try {
        if (!applies(config.conditions, spec)) return noOpinion;
      } catch (error) {
        deps.log.warn({ err: error, authorizer: config.name }, 'a condition of an authorizer failed');
        return failed;
      }
      const key = JSON.stringify(spec);
      const found = known.get(key);
      if (found !== undefined) return found;
      let pending = asking.get(key);
      if (pending === undefined) {
        if (asking.size >= maxWaiting) {
          deps.log.warn({ authorizer: config.name }, 'too many questions wait for an authorizer');
          return failed;
        }
        pending = ask(spec).then(
          (decision) => {
            asking.delete(key);
            if (isWorthRemembering(a)) known.set(key, decision, decision.decision === 'allow' ? config.allowedTtlMs : config.refusedTtlMs);
            return decision;
          },
          (error: unknown) => {
            asking.delete(key);
            deps.log.error({ err: error, authorizer: config.name }, 'an authorizer could not be asked');
            return failed;
          },
        );
        asking.set(key, pending);
      }
      return pending;
    },
  };
}
