import { type DeepReadonly, type FieldErrors, isDNS1123Label, isDNS1123Subdomain } from '@skiff/apimachinery';
import type {
  FlowcontrolV1Subject,
  FlowSchema,
  FlowSchemaSpec,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
} from '../../generated/types/flowcontrol-v1.ts';
import { goValue } from '../../go-value.ts';
import { deepEqual } from '../../semantic-equality.ts';
import { invalidEach, requireText } from '../../validation.ts';
import { mandatoryFlowSchemas } from './default-objects.ts';

const maxPrecedence = 10_000;
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];

/** A list with `*` in it may have nothing else. True when it is a list of values that are to be looked at. */
function wildcardAlone(errors: FieldErrors, path: string, values: readonly string[], what: string): boolean {
  if (!values.includes('*')) return true;
  if (values.length > 1) errors.invalid(path, values, `if '*' is present, must not specify other ${what}`);
  return false;
}

function validateVerbs(errors: FieldErrors, path: string, asked: readonly string[] | undefined): void {
  if (asked === undefined || asked.length === 0) return errors.required(path, 'verbs must contain at least one value');
  if (wildcardAlone(errors, path, asked, 'verbs') && !asked.every((v) => verbs.includes(v))) errors.notSupported(path, asked, verbs);
}

function validatePath(errors: FieldErrors, at: string, path: string): void {
  if (path === '/') return;
  const stars = path.split('*').length - 1;
  if (path === '') errors.invalid(at, path, 'must not be empty');
  else if (!path.startsWith('/')) errors.invalid(at, path, 'must start with slash');
  else if (path.includes(' ')) errors.invalid(at, path, 'must not contain white-space');
  else if (path.includes('//')) errors.invalid(at, path, 'must not contain double slash');
  else if (stars > 1 || (stars === 1 && !path.endsWith('/*'))) errors.invalid(at, path, 'wildcard can only do suffix matching');
}

function validateNonResourceRule(rule: DeepReadonly<NonResourcePolicyRule>, path: string, errors: FieldErrors): void {
  validateVerbs(errors, `${path}.verbs`, rule.verbs);
  const urls = rule.nonResourceURLs ?? [];
  if (urls.length === 0) return errors.required(`${path}.nonResourceURLs`, 'nonResourceURLs must contain at least one value');
  if (wildcardAlone(errors, `${path}.nonResourceURLs`, urls, 'non-resource URLs'))
    for (const [i, url] of urls.entries()) validatePath(errors, `${path}.nonResourceURLs[${i}]`, url);
}

function validateResourceRule(rule: DeepReadonly<ResourcePolicyRule>, path: string, errors: FieldErrors): void {
  validateVerbs(errors, `${path}.verbs`, rule.verbs);
  const groups = rule.apiGroups ?? [];
  if (groups.length === 0) errors.required(`${path}.apiGroups`, 'resource rules must supply at least one api group');
  else wildcardAlone(errors, `${path}.apiGroups`, groups, 'api groups');
  const resources = rule.resources ?? [];
  if (resources.length === 0) errors.required(`${path}.resources`, 'resource rules must supply at least one resource');
  else wildcardAlone(errors, `${path}.resources`, resources, 'resources');
  const namespaces = rule.namespaces ?? [];
  const at = `${path}.namespaces`;
  if (namespaces.length === 0 && rule.clusterScope !== true)
    errors.required(at, 'resource rules that are not cluster scoped must supply at least one namespace');
  else if (wildcardAlone(errors, at, namespaces, 'namespaces'))
    for (const [i, name] of namespaces.entries())
      for (const complaint of isDNS1123Label(name))
        errors.invalid(`${at}[${i}]`, name, `each member of this list must be '*' or a DNS-1123 label; ${complaint}`);
}

/** The member of a subject for each kind, with its name in messages. */
const members = { ServiceAccount: 'serviceAccount', User: 'user', Group: 'group' } as const;
/** In the order in which what doesn't belong is complained of. */
const foreign = {
  ServiceAccount: ['User', 'Group'],
  User: ['ServiceAccount', 'Group'],
  Group: ['ServiceAccount', 'User'],
} as const;

function validateSubject(subject: DeepReadonly<FlowcontrolV1Subject>, path: string, errors: FieldErrors): void {
  const { kind } = subject;
  if (kind !== 'ServiceAccount' && kind !== 'User' && kind !== 'Group')
    return errors.notSupported(`${path}.kind`, kind, ['Group', 'ServiceAccount', 'User']);
  const member = members[kind];
  const value = subject[member];
  if (value === undefined) errors.required(`${path}.${member}`, `${member} is required when subject kind is '${kind}'`);
  else if (requireText(errors, `${path}.${member}.name`, value.name) && kind === 'ServiceAccount' && value.name !== '*')
    invalidEach(errors, `${path}.${member}.name`, value.name, isDNS1123Subdomain(value.name));
  if (kind === 'ServiceAccount' && subject.serviceAccount !== undefined) {
    const namespace = subject.serviceAccount.namespace ?? '';
    if (namespace === '') errors.required(`${path}.serviceAccount.namespace`, 'must specify namespace for service account');
    else invalidEach(errors, `${path}.serviceAccount.namespace`, namespace, isDNS1123Label(namespace));
  }
  for (const other of foreign[kind]) {
    const name = members[other];
    if (subject[name] !== undefined) errors.forbidden(`${path}.${name}`, `${name} is forbidden when subject kind is not '${other}'`);
  }
}

function validateRules(rules: DeepReadonly<PolicyRulesWithSubjects>, path: string, errors: FieldErrors): void {
  const { resourceRules = [], nonResourceRules = [] } = rules;
  const subjects = rules.subjects ?? [];
  if (subjects.length === 0) errors.required(`${path}.subjects`, 'subjects must contain at least one value');
  for (const [i, subject] of subjects.entries()) validateSubject(subject, `${path}.subjects[${i}]`, errors);
  if (resourceRules.length === 0 && nonResourceRules.length === 0)
    errors.required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty');
  for (const [i, rule] of resourceRules.entries()) validateResourceRule(rule, `${path}.resourceRules[${i}]`, errors);
  for (const [i, rule] of nonResourceRules.entries()) validateNonResourceRule(rule, `${path}.nonResourceRules[${i}]`, errors);
}

export function validateFlowSchema(schema: DeepReadonly<FlowSchema>, errors: FieldErrors): void {
  const name = schema.metadata?.name ?? '';
  const spec: DeepReadonly<FlowSchemaSpec> = schema.spec ?? { priorityLevelConfiguration: { name: '' } };
  const precedence = spec.matchingPrecedence ?? 0;
  const at = 'spec.matchingPrecedence';
  if (precedence <= 0) errors.invalid(at, precedence, 'must be a positive value');
  if (precedence > maxPrecedence) errors.invalid(at, precedence, `must not be greater than ${maxPrecedence}`);
  if (precedence === 1 && name !== 'exempt') errors.invalid(at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
  const method = spec.distinguisherMethod;
  if (method !== undefined && method.type !== 'ByUser' && method.type !== 'ByNamespace')
    errors.notSupported('spec.distinguisherMethod.type', { Type: method.type ?? '' }, ['ByNamespace', 'ByUser']);
  const level = spec.priorityLevelConfiguration?.name ?? '';
  const levelPath = 'spec.priorityLevelConfiguration.name';
  if (level === '') errors.required(levelPath, 'must reference a priority level');
  else invalidEach(errors, levelPath, level, isDNS1123Subdomain(level));
  for (const [i, rules] of (spec.rules ?? []).entries()) validateRules(rules, `spec.rules[${i}]`, errors);
  const mandatory = mandatoryFlowSchemas.find((m) => m.metadata?.name === name)?.spec;
  if (mandatory === undefined || deepEqual(spec, mandatory)) return;
  const shown = goValue('io.k8s.api.flowcontrol.v1.FlowSchemaSpec', spec);
  errors.invalid('spec', shown, `spec of '${name}' must equal the fixed value`);
}
