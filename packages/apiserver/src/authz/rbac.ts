import {
  clusterRole,
  clusterRoleBinding,
  role,
  roleBinding,
  type ClusterRole,
  type ClusterRoleBinding,
  type Role,
  type RoleBinding,
  type RoleRef,
  type Subject,
} from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { ObjectAccess, UserInfo } from '../contract.ts';
import { parseServiceAccountUserName } from '../authn/service-account-token.ts';
import { type AuthorizationAttributes, type ImmediateAuthorizer, noOpinion } from './authorizer.ts';
import { type Rule, ruleAllows } from './policy-rule.ts';

type Binding = DeepReadonly<RoleBinding> | DeepReadonly<ClusterRoleBinding>;

interface Grant {
  readonly binding: Binding;
  readonly subject: DeepReadonly<Subject>;
}

/** `User:x`, `Group:y`, `ServiceAccount:ns:z` → what is bound to it. */
type SubjectIndex = Map<string, Set<Grant>>;

const subjectKey = (s: DeepReadonly<Subject>, bindingNamespace: string): string =>
  s.kind === 'ServiceAccount' ? `ServiceAccount:${s.namespace ?? bindingNamespace}:${s.name}` : `${s.kind}:${s.name}`;

function userKeys(user: UserInfo): readonly string[] {
  const keys = [`User:${user.name}`, ...user.groups.map((g) => `Group:${g}`)];
  const account = parseServiceAccountUserName(user.name);
  if (account !== undefined) keys.push(`ServiceAccount:${account.namespace}:${account.name}`);
  return keys;
}

export interface RuleResolver {
  /** Each rule that applies to the user in the namespace ('' = cluster-wide only), with where it comes from. Stops when `visit` returns false. */
  visit(user: UserInfo, namespace: string, visit: (rule: Rule, source: () => string) => boolean): readonly string[];
  rulesFor(user: UserInfo, namespace: string): { rules: readonly Rule[]; problems: readonly string[] };
  /** The rules of the role that a binding in `namespace` refers to; undefined when there is no such role. */
  rulesOf(ref: DeepReadonly<RoleRef>, namespace: string): readonly Rule[] | undefined;
}

function describeSource({ binding, subject }: Grant): string {
  const namespace = binding.metadata?.namespace;
  const what =
    namespace === undefined ? `ClusterRoleBinding "${binding.metadata?.name}"` : `RoleBinding "${binding.metadata?.name}/${namespace}"`;
  const who = subject.kind === 'ServiceAccount' ? `"${subject.name}/${subject.namespace ?? namespace ?? ''}"` : `"${subject.name}"`;
  return `${what} of ${binding.roleRef.kind} "${binding.roleRef.name}" to ${subject.kind} ${who}`;
}

/** Follows roles and bindings in the cache and keeps an index from subjects to bindings. */
export function createRuleResolver(objects: ObjectAccess): RuleResolver & Disposable {
  const cluster: SubjectIndex = new Map();
  const namespaced = new Map<string, SubjectIndex>();
  const entered = new Map<string, { index: SubjectIndex; key: string; grant: Grant }[]>();

  const change = (id: string, namespace: string, binding: Binding | undefined): void => {
    for (const { index, key, grant } of entered.get(id) ?? []) {
      const grants = index.get(key);
      grants?.delete(grant);
      if (grants?.size === 0) index.delete(key);
    }
    entered.delete(id);
    if (binding === undefined) return;
    let index = cluster;
    if (namespace !== '') {
      index = namespaced.get(namespace) ?? new Map();
      namespaced.set(namespace, index);
    }
    const mine = (binding.subjects ?? []).map((subject) => ({ index, key: subjectKey(subject, namespace), grant: { binding, subject } }));
    for (const { key, grant } of mine) {
      const grants = index.get(key);
      if (grants === undefined) index.set(key, new Set([grant]));
      else grants.add(grant);
    }
    entered.set(id, mine);
  };
  const subscriptions = [
    objects.subscribe<ClusterRoleBinding>(clusterRoleBinding, (key, o) => change(`/${key.name}`, '', o)),
    objects.subscribe<RoleBinding>(roleBinding, (key, o) => change(`${key.namespace}/${key.name}`, key.namespace, o)),
  ];

  const rulesOf: RuleResolver['rulesOf'] = (ref, namespace) => {
    const found = ref.kind === 'Role' ? objects.get<Role>(role, namespace, ref.name) : objects.get<ClusterRole>(clusterRole, '', ref.name);
    return found === undefined ? undefined : (found.rules ?? []);
  };

  const visit: RuleResolver['visit'] = (user, namespace, onRule) => {
    const problems: string[] = [];
    const keys = userKeys(user);
    for (const index of namespace === '' ? [cluster] : [cluster, namespaced.get(namespace)]) {
      if (index === undefined) continue;
      for (const key of keys) {
        for (const grant of index.get(key) ?? []) {
          const ref = grant.binding.roleRef;
          const rules = rulesOf(ref, grant.binding.metadata?.namespace ?? '');
          if (rules === undefined) problems.push(`${ref.kind.toLowerCase()}.rbac.authorization.k8s.io "${ref.name}" not found`);
          for (const rule of rules ?? []) if (!onRule(rule, () => describeSource(grant))) return problems;
        }
      }
    }
    return problems;
  };

  return {
    visit,
    rulesOf,
    rulesFor: (user, namespace) => {
      const rules: Rule[] = [];
      const problems = visit(user, namespace, (rule) => {
        rules.push(rule);
        return true;
      });
      return { rules, problems };
    },
    [Symbol.dispose]: () => {
      for (const s of subscriptions) s[Symbol.dispose]();
    },
  };
}

const aggregate = (problems: readonly string[]): string => {
  const unique = [...new Set(problems)];
  return unique.length === 1 ? (unique[0] ?? '') : `[${unique.join(', ')}]`;
};

/** Role-based access control: only ever allows, silence means no. */
export function createRbacAuthorizer(resolver: RuleResolver): ImmediateAuthorizer {
  return {
    name: 'RBAC',
    authorize: (a: AuthorizationAttributes) => {
      let source: (() => string) | undefined;
      const problems = resolver.visit(a.user, a.namespace, (rule, from) => {
        if (!ruleAllows(rule, a)) return true;
        source = from;
        return false;
      });
      if (source !== undefined) return { decision: 'allow', reason: `RBAC: allowed by ${source()}` };
      return problems.length === 0 ? noOpinion : { decision: 'no-opinion', reason: `RBAC: ${aggregate(problems)}` };
    },
  };
}
