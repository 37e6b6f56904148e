import {
  type DeepReadonly,
  type ExpressionChecks,
  type ExpressionPlace,
  type FieldErrors,
  isDNS1035Label,
  isDNS1123Subdomain,
  isQualifiedName,
  type StrategyContext,
} from '@skiff/apimachinery';
import type {
  MatchCondition,
  MutatingAdmissionPolicySpec,
  ValidatingAdmissionPolicySpec,
  Variable,
} from '../../generated/types/admissionregistration-v1.ts';
import { invalidEach } from '../../validation.ts';
import { deepEqual } from '../../semantic-equality.ts';
import { defaultMatchResources, validateMatchResources } from './match-rules.ts';

const maxMatchConditions = 64;
const identifier = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const reserved: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);

type Spec = DeepReadonly<ValidatingAdmissionPolicySpec | MutatingAdmissionPolicySpec>;

export function defaultPolicy({ spec }: { spec?: ValidatingAdmissionPolicySpec | MutatingAdmissionPolicySpec }): void {
  if (spec === undefined) return;
  spec.failurePolicy ??= 'Fail';
  defaultMatchResources(spec.matchConstraints);
}

/** Conditions that were fine once still are, unless they or the parameters changed. */
export const sameMatchConditions = (a: Spec, b: Spec): boolean =>
  deepEqual(a.paramKind, b.paramKind) && deepEqual(a.matchConditions ?? [], b.matchConditions ?? []);

/** The checks of a policy's expressions. */
export function expressionChecks(context: StrategyContext, o: { readonly params: boolean; readonly variables: boolean }): ExpressionChecks {
  if (context.expressions === undefined) throw new Error('policies are validated where expressions can be compiled');
  return context.expressions(o);
}

interface At {
  readonly field: string;
  readonly errors: FieldErrors;
}
function complain(complaint: string | undefined, shown: string, { field, errors }: At): void {
  if (complaint !== undefined) errors.invalid(field, shown, complaint);
}

/** `shown`: the expression as errors quote it. */
export const checkExpression = (checks: ExpressionChecks, place: ExpressionPlace, expression: string, at: At, shown = expression): void =>
  complain(checks.check(place, expression), shown, at);

/** What policies of both kinds have before their variables. */
export function validatePolicyHead(spec: Spec, errors: FieldErrors): void {
  const policies = ['Fail', 'Ignore'];
  if (spec.failurePolicy === undefined) errors.required('spec.failurePolicy');
  else if (!policies.includes(spec.failurePolicy)) errors.notSupported('spec.failurePolicy', spec.failurePolicy, policies);
  if (spec.paramKind !== undefined) validateParamKind(spec.paramKind, 'spec.paramKind', errors);
  if (spec.matchConstraints === undefined) return errors.required('spec.matchConstraints');
  validateMatchResources(spec.matchConstraints, 'spec.matchConstraints', errors);
  if ((spec.matchConstraints.resourceRules ?? []).length === 0) errors.required('spec.matchConstraints.resourceRules');
}

export function validateMatchConditions(
  conditions: readonly DeepReadonly<MatchCondition>[],
  field: string,
  checks: ExpressionChecks,
  errors: FieldErrors,
): void {
  const names = new Set<string>();
  if (conditions.length > maxMatchConditions) errors.tooMany(field, conditions.length, maxMatchConditions);
  for (const [i, condition] of conditions.entries()) {
    const at = `${field}[${i}]`;
    const expression = condition.expression.trim();
    if (expression === '') errors.required(`${at}.expression`);
    else checkExpression(checks, 'matchCondition', expression, { field: `${at}.expression`, errors });
    if (condition.name === '') {
      errors.required(`${at}.name`);
      continue;
    }
    invalidEach(errors, `${at}.name`, condition.name, isQualifiedName(condition.name));
    if (names.has(condition.name)) errors.duplicate(`${at}.name`, condition.name);
    names.add(condition.name);
  }
}

/** Later expressions may use the variables that are checked here, in their order. */
export function validateVariables(variables: readonly DeepReadonly<Variable>[], checks: ExpressionChecks, errors: FieldErrors): void {
  for (const [i, { name, expression }] of variables.entries()) {
    const at = `spec.variables[${i}]`;
    if (name.trim() === '') errors.required(`${at}.name`, 'name is not specified');
    else if (!identifier.test(name) || reserved.has(name)) errors.invalid(`${at}.name`, name, 'must be a valid CEL identifier');
    if (expression.trim() === '') errors.required(`${at}.expression`, 'expression is not specified');
    else complain(checks.variable(name, expression), expression, { field: `${at}.expression`, errors });
  }
}

interface GroupVersionKind {
  readonly apiVersion?: string;
  readonly kind?: string;
}

/** The kind that a policy's parameters have. */
function validateParamKind(kind: GroupVersionKind, field: string, errors: FieldErrors): void {
  const { apiVersion = '', kind: name = '' } = kind;
  if (apiVersion === '') errors.required(`${field}.apiVersion`);
  else validateGroupVersion(apiVersion, `${field}.apiVersion`, errors);
  if (name === '') return errors.required(`${field}.kind`);
  const complaints = isDNS1035Label(name.toLowerCase());
  if (complaints.length > 0) {
    errors.invalid(`${field}.kind`, name, `may have mixed case, but should otherwise match: ${complaints.join(',')}`);
  }
}

function validateGroupVersion(text: string, field: string, errors: FieldErrors): void {
  const parts = text === '/' ? ['', ''] : text.split('/');
  if (parts.length > 2) return errors.invalid(field, text, `unexpected GroupVersion string: ${text}`);
  const [group = '', version = ''] = parts.length === 1 ? ['', parts[0]] : parts;
  if (group !== '') {
    const complaints = isDNS1123Subdomain(group);
    if (complaints.length > 0) errors.invalid(field, group, complaints.join(','));
  }
  if (version === '') return errors.invalid(field, text, 'version must be specified');
  const complaints = isDNS1035Label(version);
  if (complaints.length > 0) errors.invalid(field, version, complaints.join(','));
}
