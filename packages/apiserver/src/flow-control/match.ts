import type { FlowSchemaSpec } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { RequestInfo, UserInfo } from '../contract.ts';

type Rules = NonNullable<DeepReadonly<FlowSchemaSpec>['rules']>;
type Rule = Rules[number];
type Subject = Rule['subjects'][number];
export type Matcher = (user: UserInfo, info: RequestInfo) => boolean;

/** The values of a list, or all for which nothing else but `*` stands in it. */
function oneOf(values: readonly string[] | null | undefined): (value: string) => boolean {
  const list = values ?? [];
  if (list.length === 1 && list[0] === '*') return () => true;
  const set = new Set(list);
  return (value) => set.has(value);
}

function subjectMatcher(s: Subject): (user: UserInfo) => boolean {
  switch (s.kind) {
    case 'User': {
      const name = s.user?.name;
      return name === '*' ? () => true : (user) => user.name === name;
    }
    case 'Group': {
      const name = s.group?.name ?? '';
      return name === '*' ? () => true : (user) => user.groups.includes(name);
    }
    case 'ServiceAccount': {
      if (s.serviceAccount === undefined) return () => false;
      const { namespace, name } = s.serviceAccount;
      const prefix = `system:serviceaccount:${namespace}:`;
      return name === '*' ? (user) => user.name.startsWith(prefix) : (user) => user.name === `${prefix}${name}`;
    }
    default:
      return () => false;
  }
}

function pathMatcher(url: string): (path: string) => boolean {
  const stem = url.endsWith('*') ? url.slice(0, -1) : url;
  const below = stem.endsWith('/') ? stem : `${stem}/`;
  return url === '*' ? () => true : (path) => path === url || path.startsWith(below);
}

function ruleMatcher(rule: Rule): Matcher {
  const subjects = rule.subjects.map(subjectMatcher);
  const resources = (rule.resourceRules ?? []).map((r) => {
    const [verb, group, resource, namespace] = [r.verbs, r.apiGroups, r.resources, r.namespaces].map(oneOf) as [
      (v: string) => boolean,
      (v: string) => boolean,
      (v: string) => boolean,
      (v: string) => boolean,
    ];
    return (i: RequestInfo): boolean =>
      verb(i.verb) &&
      resource(i.subresource === '' ? i.resource : `${i.resource}/${i.subresource}`) &&
      group(i.group) &&
      (i.namespace === '' ? r.clusterScope === true : namespace(i.namespace));
  });
  const paths = (rule.nonResourceRules ?? []).map((r) => {
    const verb = oneOf(r.verbs);
    const urls = r.nonResourceURLs.map(pathMatcher);
    return (i: RequestInfo): boolean => verb(i.verb) && urls.some((matches) => matches(i.path));
  });
  return (user, info) => subjects.some((matches) => matches(user)) && (info.isResourceRequest ? resources : paths).some((m) => m(info));
}

/** Does a request belong to a FlowSchema? */
export function compileRules(rules: Rules | undefined): Matcher {
  const matchers = (rules ?? []).map(ruleMatcher);
  return (user, info) => matchers.some((matches) => matches(user, info));
}
