import {
  type DeepReadonly,
  type FieldErrors,
  isPathSegmentName,
  labelSelectorHasInvalidLabelValue,
  type LabelSelector,
  labelSelectorMatcher,
  nameIsDNSSubdomain,
  validateLabelSelector,
} from '@skiff/apimachinery';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../../generated/types/rbac-v1.ts';
import { goValue } from '../../go-value.ts';
import { invalidEach, requireText } from '../../validation.ts';

const rbacGroup = 'rbac.authorization.k8s.io';

function validateRules(rules: readonly DeepReadonly<PolicyRule>[], namespaced: boolean, errors: FieldErrors): void {
  for (const [i, rule] of rules.entries()) {
    const at = `rules[${i}]`;
    const urls = rule.nonResourceURLs ?? [];
    const [groups, resources] = [rule.apiGroups ?? [], rule.resources ?? []];
    if ((rule.verbs ?? []).length === 0) errors.required(`${at}.verbs`, 'verbs must contain at least one value');
    if (urls.length > 0) {
      const path = `${at}.nonResourceURLs`;
      if (namespaced) errors.invalid(path, urls, 'namespaced rules cannot apply to non-resource URLs');
      if (groups.length + resources.length + (rule.resourceNames ?? []).length > 0) {
        errors.invalid(path, urls, 'rules cannot apply to both regular resources and non-resource URLs');
      }
      continue;
    }
    if (groups.length === 0) errors.required(`${at}.apiGroups`, 'resource rules must supply at least one api group');
    if (resources.length === 0) errors.required(`${at}.resources`, 'resource rules must supply at least one resource');
  }
}

export const validateRole = (role: DeepReadonly<Role>, errors: FieldErrors): void => validateRules(role.rules ?? [], true, errors);

const hasInvalidLabelValue = (role: DeepReadonly<ClusterRole> | undefined): boolean =>
  (role?.aggregationRule?.clusterRoleSelectors ?? []).some(labelSelectorHasInvalidLabelValue);

function isSelector(selector: DeepReadonly<LabelSelector>): boolean {
  try {
    labelSelectorMatcher(selector);
    return true;
  } catch {
    return false;
  }
}

export function validateClusterRole(role: DeepReadonly<ClusterRole>, errors: FieldErrors, old?: DeepReadonly<ClusterRole>): void {
  validateRules(role.rules ?? [], false, errors);
  if (role.aggregationRule === undefined) return;
  const path = 'aggregationRule.clusterRoleSelectors';
  const selectors = role.aggregationRule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) errors.required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil');
  const options = { allowInvalidLabelValueInSelector: hasInvalidLabelValue(old) };
  for (const [i, selector] of selectors.entries()) {
    const at = `${path}[${i}]`;
    validateLabelSelector(selector, at, errors, options);
    if (!isSelector(selector)) errors.invalid(at, null, 'invalid label selector.');
  }
}

type Binding = DeepReadonly<RoleBinding> | DeepReadonly<ClusterRoleBinding>;

/** `kinds`: of roles that may be bound. */
function validateBinding(binding: Binding, kinds: readonly string[], errors: FieldErrors): void {
  const { apiGroup, kind, name } = binding.roleRef;
  if (apiGroup !== rbacGroup) errors.notSupported('roleRef.apiGroup', apiGroup, [rbacGroup]);
  if (!kinds.includes(kind)) errors.notSupported('roleRef.kind', kind, kinds);
  if (requireText(errors, 'roleRef.name', name)) invalidEach(errors, 'roleRef.name', name, isPathSegmentName(name, false));
  for (const [i, subject] of (binding.subjects ?? []).entries()) {
    validateSubject(subject, { path: `subjects[${i}]`, namespaced: kinds.includes('Role') }, errors);
  }
}

function validateSubject(subject: DeepReadonly<Subject>, o: { path: string; namespaced: boolean }, errors: FieldErrors): void {
  const { kind, name, apiGroup = '' } = subject;
  requireText(errors, `${o.path}.name`, name);
  switch (kind) {
    case 'ServiceAccount':
      if (name) invalidEach(errors, `${o.path}.name`, name, nameIsDNSSubdomain(name, false));
      if (apiGroup !== '') errors.notSupported(`${o.path}.apiGroup`, apiGroup, ['']);
      if (!o.namespaced && !subject.namespace) errors.required(`${o.path}.namespace`);
      break;
    case 'User':
    case 'Group':
      if (apiGroup !== rbacGroup) errors.notSupported(`${o.path}.apiGroup`, apiGroup, [rbacGroup]);
      break;
    default:
      errors.notSupported(`${o.path}.kind`, kind, ['ServiceAccount', 'User', 'Group']);
  }
}

function sameRole(binding: Binding, old: Binding, errors: FieldErrors): void {
  const [now, before] = [binding.roleRef, old.roleRef];
  if (now.apiGroup === before.apiGroup && now.kind === before.kind && now.name === before.name) return;
  errors.invalid('roleRef', goValue('io.k8s.api.rbac.v1.RoleRef', now), 'cannot change roleRef');
}

export const validateRoleBinding = (binding: DeepReadonly<RoleBinding>, errors: FieldErrors): void =>
  validateBinding(binding, ['Role', 'ClusterRole'], errors);

export function validateRoleBindingUpdate(binding: DeepReadonly<RoleBinding>, old: DeepReadonly<RoleBinding>, errors: FieldErrors): void {
  validateRoleBinding(binding, errors);
  sameRole(binding, old, errors);
}

export const validateClusterRoleBinding = (binding: DeepReadonly<ClusterRoleBinding>, errors: FieldErrors): void =>
  validateBinding(binding, ['ClusterRole'], errors);

export function validateClusterRoleBindingUpdate(
  binding: DeepReadonly<ClusterRoleBinding>,
  old: DeepReadonly<ClusterRoleBinding>,
  errors: FieldErrors,
): void {
  validateClusterRoleBinding(binding, errors);
  sameRole(binding, old, errors);
}
