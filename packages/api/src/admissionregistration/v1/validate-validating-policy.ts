import {
  type DeepReadonly,
  type ExpressionChecks,
  type FieldErrors,
  isQualifiedName,
  nameIsDNSSubdomain,
  type ResourceStrategy,
  type StrategyContext,
  validateConditions,
} from '@skiff/apimachinery';
import type { AuditAnnotation, ValidatingAdmissionPolicy, Validation } from '../../generated/types/admissionregistration-v1.ts';
import { specStrategy } from '../../spec-and-status.ts';
import { invalidEach } from '../../validation.ts';
import {
  checkExpression,
  expressionChecks,
  sameMatchConditions,
  validateMatchConditions,
  validatePolicyHead,
  validateVariables,
} from './policy-spec.ts';
import { staticNameWarnings } from './static-name.ts';

type Policy = DeepReadonly<ValidatingAdmissionPolicy>;

const maxAuditAnnotations = 20;
const maxValueExpressionLength = 5 * 1024;
const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];

function validateValidation(v: DeepReadonly<Validation>, field: string, checks: ExpressionChecks, errors: FieldErrors): void {
  const { message = '', messageExpression = '' } = v;
  if (v.expression.trim() === '') errors.required(`${field}.expression`, 'expression is not specified');
  else checkExpression(checks, 'validation', v.expression, { field: `${field}.expression`, errors });
  if (messageExpression !== '') {
    if (messageExpression.trim() === '') errors.invalid(`${field}.messageExpression`, messageExpression, 'must be non-empty if specified');
    else checkExpression(checks, 'message', messageExpression, { field: `${field}.messageExpression`, errors });
  }
  if (message !== '' && message.trim() === '') errors.invalid(`${field}.message`, message, 'must be non-empty if specified');
  else if (/[\n\r]/.test(message.trim())) errors.invalid(`${field}.message`, message, 'must not contain line breaks');
  if (v.reason !== undefined && !reasons.includes(v.reason)) errors.notSupported(`${field}.reason`, v.reason, reasons);
}

function validateAnnotations(
  policyName: string,
  annotations: readonly DeepReadonly<AuditAnnotation>[],
  checks: ExpressionChecks,
  errors: FieldErrors,
): void {
  const at = 'spec.auditAnnotations';
  const keys = new Set<string>();
  if (annotations.length > maxAuditAnnotations) {
    const shown = annotations.map((a) => ({ Key: a.key, ValueExpression: a.valueExpression }));
    errors.invalid(at, shown, `must not have more than ${maxAuditAnnotations} auditAnnotations`);
  }
  for (const [i, { key, valueExpression }] of annotations.entries()) {
    const field = `${at}[${i}]`;
    if (policyName === '') errors.invalid(`${field}.key`, key, 'requires metadata.name be non-empty');
    else invalidEach(errors, `${field}.key`, `${policyName}/${key}`, isQualifiedName(`${policyName}/${key}`));
    const expression = valueExpression.trim();
    if (expression === '') errors.required(`${field}.valueExpression`, 'valueExpression is not specified');
    else if (Buffer.byteLength(expression) > maxValueExpressionLength) {
      errors.required(`${field}.valueExpression`, `must not exceed ${maxValueExpressionLength} bytes in length`);
    } else checkExpression(checks, 'auditAnnotation', expression, { field: `${field}.valueExpression`, errors }, valueExpression);
    if (keys.has(key)) errors.duplicate(`${field}.key`, key);
    keys.add(key);
  }
}

function validatePolicy(policy: Policy, errors: FieldErrors, context: StrategyContext, old?: Policy): void {
  const { spec = {} } = policy;
  validatePolicyHead(spec, errors);
  const checks = expressionChecks(context, { params: spec.paramKind !== undefined, variables: (spec.variables ?? []).length > 0 });
  if (old === undefined || !sameMatchConditions(spec, old.spec ?? {}))
    validateMatchConditions(spec.matchConditions ?? [], 'spec.matchConditions', checks, errors);
  validateVariables(spec.variables ?? [], checks, errors);
  const { validations = [], auditAnnotations = [] } = spec;
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const both = 'validations or auditAnnotations must contain at least one item';
    errors.required('spec.validations', both);
    errors.required('spec.auditAnnotations', both);
    return;
  }
  for (const [i, v] of validations.entries()) validateValidation(v, `spec.validations[${i}]`, checks, errors);
  validateAnnotations(policy.metadata?.name ?? '', auditAnnotations, checks, errors);
}

export const validatingPolicyStrategy: ResourceStrategy<ValidatingAdmissionPolicy> = specStrategy<ValidatingAdmissionPolicy>(
  { generation: { spec: 'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicySpec' } },
  {
    validateName: nameIsDNSSubdomain,
    allowUnconditionalUpdate: false,
    validate: (policy, errors, context) => validatePolicy(policy, errors, context),
    validateUpdate: (policy, old, errors, context) => validatePolicy(policy, errors, context, old),
    warnings: (policy) => staticNameWarnings(policy.metadata?.name),
  },
);

/** What a controller found: each warning names its expression by a JSON path. */
export function validatePolicyStatus({ status = {} }: Policy, _old: Policy, errors: FieldErrors): void {
  for (const [i, { fieldRef, warning }] of (status.typeChecking?.expressionWarnings ?? []).entries()) {
    const field = `status.typeChecking.expressionWarnings[${i}]`;
    if (warning === '') errors.required(`${field}.warning`);
    const path = fieldRef.trim();
    if (path === '') errors.required(`${field}.fieldRef`);
    else if (/\[[^\]]*$/.test(path)) errors.invalid(`${field}.fieldRef`, path, 'invalid JSONPath: unterminated array');
  }
  validateConditions(status.conditions ?? [], 'status.conditions', errors);
}
