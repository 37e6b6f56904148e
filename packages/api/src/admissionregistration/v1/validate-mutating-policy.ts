import {
  type DeepReadonly,
  type ExpressionChecks,
  type FieldErrors,
  nameIsDNSSubdomain,
  type ResourceStrategy,
  type StrategyContext,
} from '@skiff/apimachinery';
import type { MutatingAdmissionPolicy, Mutation } from '../../generated/types/admissionregistration-v1.ts';
import { specStrategy } from '../../spec-and-status.ts';
import { validateMutatingOperations } from './match-rules.ts';
import {
  checkExpression,
  expressionChecks,
  sameMatchConditions,
  validateMatchConditions,
  validatePolicyHead,
  validateVariables,
} from './policy-spec.ts';
import { staticNameWarnings } from './static-name.ts';

type Policy = DeepReadonly<MutatingAdmissionPolicy>;

const patchTypes = ['ApplyConfiguration', 'JSONPatch'];
const reinvocations = ['IfNeeded', 'Never'];

function validateMutation(m: DeepReadonly<Mutation>, at: string, checks: ExpressionChecks, errors: FieldErrors): void {
  if (m.patchType === '') return errors.required(`${at}.patchType`);
  if (!patchTypes.includes(m.patchType)) return errors.notSupported(`${at}.patchType`, m.patchType, patchTypes);
  const [own, other] =
    m.patchType === 'JSONPatch' ? (['jsonPatch', 'applyConfiguration'] as const) : (['applyConfiguration', 'jsonPatch'] as const);
  const patch = m[own];
  if (patch === undefined) errors.required(`${at}.${own}`, `must be specified when patchType is ${m.patchType}`);
  else {
    const expression = (patch.expression ?? '').trim();
    if (expression === '') errors.required(`${at}.${own}.expression`);
    else checkExpression(checks, own, expression, { field: `${at}.${own}.expression`, errors });
  }
  if (m[other] !== undefined) errors.invalid(`${at}.${other}`, `{${other}}`, `must not be specified when patchType is ${m.patchType}`);
}

function validatePolicy(policy: Policy, errors: FieldErrors, context: StrategyContext, old?: Policy): void {
  const { spec = {} } = policy;
  validatePolicyHead(spec, errors);
  validateMutatingOperations(spec.matchConstraints, 'spec.matchConstraints', errors);
  const checks = expressionChecks(context, { params: spec.paramKind !== undefined, variables: true });
  if (old === undefined || !sameMatchConditions(spec, old.spec ?? {}))
    validateMatchConditions(spec.matchConditions ?? [], 'spec.matchConditions', checks, errors);
  validateVariables(spec.variables ?? [], checks, errors);
  const { mutations = [], reinvocationPolicy = '' } = spec;
  if (mutations.length === 0) errors.required('spec.mutations', 'mutations must contain at least one item');
  for (const [i, m] of mutations.entries()) validateMutation(m, `spec.mutations[${i}]`, checks, errors);
  if (reinvocationPolicy === '') errors.required('spec.reinvocationPolicy');
  else if (!reinvocations.includes(reinvocationPolicy)) errors.notSupported('spec.reinvocationPolicy', reinvocationPolicy, reinvocations);
}

export const mutatingPolicyStrategy: ResourceStrategy<MutatingAdmissionPolicy> = specStrategy<MutatingAdmissionPolicy>(
  { generation: { spec: 'io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicySpec' }, status: false },
  {
    validateName: nameIsDNSSubdomain,
    allowUnconditionalUpdate: false,
    validate: (policy, errors, context) => validatePolicy(policy, errors, context),
    validateUpdate: (policy, old, errors, context) => validatePolicy(policy, errors, context, old),
    warnings: (policy) => staticNameWarnings(policy.metadata?.name),
  },
);
