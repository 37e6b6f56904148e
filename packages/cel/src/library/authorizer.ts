import { isDNS1123Label, isDNS1123Subdomain } from '@skiff/apimachinery';
import { declare } from '../declare.ts';
import type { FunctionDeclaration } from '../environment.ts';
import { boolType, objectType, stringType } from '../types.ts';
import { CelError, Opaque } from '../values.ts';

const type = (name: string) => objectType(`kubernetes.authorization.${name}`);
export const authorizerType = type('Authorizer');
const pathCheckType = type('PathCheck');
const groupCheckType = type('GroupCheck');
export const resourceCheckType = type('ResourceCheck');
const decisionType = type('Decision');

/** What an expression asks: `path` for paths, the rest for resources. */
export interface AuthorizationQuestion {
  /** `namespace/name` of a ServiceAccount, if not about the request's user. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string } | undefined;
  readonly verb: string;
  readonly path?: string | undefined;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly fieldSelector: string;
  readonly labelSelector: string;
}
export interface AuthorizationAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  readonly error?: string | undefined;
}

/** Thrown where an answer is still on its way: wait for it, then evaluate again (see `settle`). */
export class AnswerPending extends Error {
  readonly answer: Promise<unknown>;
  constructor(answer: Promise<unknown>) {
    super('the authorizer has not answered yet');
    this.answer = answer;
  }
}

export type Authorize = (question: AuthorizationQuestion) => AuthorizationAnswer | Promise<AuthorizationAnswer>;

/** Runs evaluations that ask an authorizer: again after each answer that had to be waited for. Answers are asked for once. */
export async function settle<T>(run: () => T): Promise<T> {
  for (;;) {
    try {
      return run();
    } catch (e) {
      if (!(e instanceof AnswerPending)) throw e;
      await e.answer;
    }
  }
}

class AuthorizerValue extends Opaque {
  readonly type = authorizerType;
  readonly ask: (q: AuthorizationQuestion) => AuthorizationAnswer;
  readonly serviceAccount: AuthorizationQuestion['serviceAccount'];
  constructor(ask: (q: AuthorizationQuestion) => AuthorizationAnswer, serviceAccount?: AuthorizationQuestion['serviceAccount']) {
    super();
    this.ask = ask;
    this.serviceAccount = serviceAccount;
  }
  equals(other: Opaque): boolean {
    return this === other;
  }
}
class Check extends Opaque {
  readonly type: typeof pathCheckType;
  readonly authorizer: AuthorizerValue;
  readonly about: Partial<AuthorizationQuestion>;
  constructor(kind: typeof pathCheckType, authorizer: AuthorizerValue, about: Partial<AuthorizationQuestion>) {
    super();
    this.type = kind;
    this.authorizer = authorizer;
    this.about = about;
  }
  equals(other: Opaque): boolean {
    return other instanceof Check && this.type === other.type && JSON.stringify(this.about) === JSON.stringify(other.about);
  }
  with(about: Partial<AuthorizationQuestion>, kind = this.type): Check {
    return new Check(kind, this.authorizer, { ...this.about, ...about });
  }
  decide(verb: string): DecisionValue {
    const nothing = { group: '', resource: '', subresource: '', namespace: '', name: '', fieldSelector: '', labelSelector: '' };
    const { serviceAccount } = this.authorizer;
    return new DecisionValue(this.authorizer.ask({ ...nothing, ...this.about, serviceAccount, verb }));
  }
}
class DecisionValue extends Opaque {
  readonly type = decisionType;
  readonly answer: AuthorizationAnswer;
  constructor(answer: AuthorizationAnswer) {
    super();
    this.answer = answer;
  }
  equals(other: Opaque): boolean {
    return other instanceof DecisionValue && this.answer.allowed === other.answer.allowed && this.answer.reason === other.answer.reason;
  }
}

/** The variable `authorizer`, for one request. Each question is asked once; `settle` runs what uses it. */
export function createAuthorizerValue(authorize: Authorize): Opaque {
  const answers = new Map<string, AuthorizationAnswer | Promise<unknown>>();
  return new AuthorizerValue((question) => {
    const key = JSON.stringify(question);
    const known = answers.get(key) ?? authorize(question);
    if (!(known instanceof Promise)) {
      answers.set(key, known);
      return known;
    }
    const settled = known.then(
      (answer) => answers.set(key, answer as AuthorizationAnswer),
      (e: unknown) => answers.set(key, { allowed: false, reason: '', error: e instanceof Error ? e.message : String(e) }),
    );
    answers.set(key, settled);
    throw new AnswerPending(settled);
  });
}

/** The variable `authorizer.requestResource`: the authorizer's question about the request itself. */
export function requestResource(
  authorizer: Opaque,
  about: Pick<AuthorizationQuestion, 'group' | 'resource' | 'subresource' | 'namespace' | 'name'>,
): Opaque {
  if (!(authorizer instanceof AuthorizerValue)) throw new TypeError('not an authorizer');
  return new Check(resourceCheckType, authorizer, about);
}

const trimmedEmpty = (s: string): boolean => s.trim() === '';
const refine = (name: string, id: string, key: keyof AuthorizationQuestion): FunctionDeclaration =>
  declare(name, [`.${id}`, [resourceCheckType, stringType], resourceCheckType, ([c, v]) => (c as Check).with({ [key]: v as string })]);
const answer = (d: unknown): AuthorizationAnswer => (d as DecisionValue).answer;

export const authorizerFunctions: readonly FunctionDeclaration[] = [
  declare('path', [
    '.authorizer_path',
    [authorizerType, stringType],
    pathCheckType,
    ([a, p]) =>
      trimmedEmpty(p as string)
        ? new CelError('path must not be empty')
        : new Check(pathCheckType, a as AuthorizerValue, { path: p as string }),
  ]),
  declare('group', [
    '.authorizer_group',
    [authorizerType, stringType],
    groupCheckType,
    ([a, group]) => new Check(groupCheckType, a as AuthorizerValue, { group: group as string }),
  ]),
  declare('serviceAccount', [
    '.authorizer_serviceaccount',
    [authorizerType, stringType, stringType],
    authorizerType,
    ([a, namespace, name]) => {
      if (isDNS1123Subdomain(name as string).length > 0) return new CelError('Invalid service account name');
      if (isDNS1123Label(namespace as string).length > 0) return new CelError('Invalid service account namespace');
      return new AuthorizerValue((a as AuthorizerValue).ask, { namespace: namespace as string, name: name as string });
    },
  ]),
  declare('resource', [
    '.groupcheck_resource',
    [groupCheckType, stringType],
    resourceCheckType,
    ([c, r]) =>
      trimmedEmpty(r as string)
        ? new CelError('resource must not be empty')
        : (c as Check).with({ resource: r as string }, resourceCheckType),
  ]),
  refine('subresource', 'resourcecheck_subresource', 'subresource'),
  refine('namespace', 'resourcecheck_namespace', 'namespace'),
  refine('name', 'resourcecheck_name', 'name'),
  refine('fieldSelector', 'authorizer_fieldselector', 'fieldSelector'),
  refine('labelSelector', 'authorizer_labelselector', 'labelSelector'),
  declare(
    'check',
    ['.pathcheck_check', [pathCheckType, stringType], decisionType, ([c, verb]) => (c as Check).decide(verb as string)],
    ['.resourcecheck_check', [resourceCheckType, stringType], decisionType, ([c, verb]) => (c as Check).decide(verb as string)],
  ),
  declare('allowed', ['.decision_allowed', [decisionType], boolType, ([d]) => answer(d).allowed]),
  declare('reason', ['.decision_reason', [decisionType], stringType, ([d]) => answer(d).reason]),
  declare('errored', ['.decision_errored', [decisionType], boolType, ([d]) => answer(d).error !== undefined]),
  declare('error', ['.decision_error', [decisionType], stringType, ([d]) => answer(d).error ?? '']),
];
export const authorizerTypes = [authorizerType, pathCheckType, groupCheckType, resourceCheckType, decisionType];
