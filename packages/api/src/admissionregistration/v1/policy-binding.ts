import {
  type DeepReadonly,
  type FieldErrors,
  isDNS1123Subdomain,
  isPathSegmentName,
  type KubeObject,
  nameIsDNSSubdomain,
  type ResourceStrategy,
  validateLabelSelector,
} from '@skiff/apimachinery';
import type {
  MutatingAdmissionPolicyBinding,
  ParamRef,
  ValidatingAdmissionPolicyBinding,
} from '../../generated/types/admissionregistration-v1.ts';
import { invalidEach } from '../../validation.ts';
import { specStrategy } from '../../spec-and-status.ts';
import { defaultMatchResources, validateMatchResources, validateMutatingOperations } from './match-rules.ts';
import { staticNameWarnings } from './static-name.ts';

function validatePolicyName(name: string, errors: FieldErrors): void {
  if (name === '') errors.required('spec.policyName');
  else invalidEach(errors, 'spec.policyName', name, isDNS1123Subdomain(name));
}

/** Which objects are a binding's parameters; absent is fine. */
function validateParamRef(ref: DeepReadonly<ParamRef> | undefined, errors: FieldErrors): void {
  if (ref === undefined) return;
  const at = 'spec.paramRef';
  const { name = '', parameterNotFoundAction: action = '' } = ref;
  const { selector } = ref;
  const exclusive = 'name and selector are mutually exclusive';
  if (name !== '') {
    invalidEach(errors, `${at}.name`, name, isPathSegmentName(name, false));
    if (selector !== undefined) errors.forbidden(`${at}.name`, exclusive);
  }
  if (selector !== undefined) {
    validateLabelSelector(selector, `${at}.selector`, errors);
    if (name !== '') errors.forbidden(`${at}.selector`, exclusive);
  }
  if (name === '' && selector === undefined) errors.required(at, 'one of name or selector must be specified');
  const actions = ['Deny', 'Allow'];
  if (action === '') errors.required(`${at}.parameterNotFoundAction`);
  else if (!actions.includes(action)) errors.notSupported(`${at}.parameterNotFoundAction`, action, actions);
}

const actionNames = ['Audit', 'Deny', 'Warn'];

function validateActions(actions: readonly string[], errors: FieldErrors): void {
  const at = 'spec.validationActions';
  const seen = new Set<string>();
  for (const [i, action] of actions.entries()) {
    if (!actionNames.includes(action)) errors.notSupported(`${at}[${i}]`, action, actionNames);
    if (seen.has(action)) errors.duplicate(`${at}[${i}]`, action);
    seen.add(action);
  }
  if (seen.has('Deny') && seen.has('Warn')) {
    errors.invalid(
      at,
      actions,
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
    );
  }
  if (seen.size === 0) errors.required(at, 'at least one validation action is required');
}

function validateValidatingBinding({ spec }: DeepReadonly<ValidatingAdmissionPolicyBinding>, errors: FieldErrors): void {
  validatePolicyName(spec.policyName ?? '', errors);
  validateParamRef(spec.paramRef, errors);
  validateMatchResources(spec.matchResources, 'spec.matchResources', errors);
  validateActions(spec.validationActions ?? [], errors);
}

function validateMutatingBinding({ spec = {} }: DeepReadonly<MutatingAdmissionPolicyBinding>, errors: FieldErrors): void {
  validatePolicyName(spec.policyName ?? '', errors);
  validateParamRef(spec.paramRef, errors);
  validateMatchResources(spec.matchResources, 'spec.matchResources', errors);
  validateMutatingOperations(spec.matchResources, 'spec.matchResources', errors);
}

export const defaultBinding = (binding: ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding): void =>
  defaultMatchResources(binding.spec?.matchResources);

const bindingStrategy = <T extends KubeObject>(
  struct: string,
  validate: (binding: DeepReadonly<T>, errors: FieldErrors) => void,
): ResourceStrategy<T> =>
  specStrategy<T>(
    { generation: { spec: struct }, status: false },
    {
      validateName: nameIsDNSSubdomain,
      allowUnconditionalUpdate: false,
      validate: (binding, errors) => validate(binding, errors),
      validateUpdate: (binding, _old, errors) => validate(binding, errors),
      warnings: (binding) => staticNameWarnings(binding.metadata?.name),
    },
  );

export const validatingBindingStrategy = bindingStrategy<ValidatingAdmissionPolicyBinding>(
  'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec',
  validateValidatingBinding,
);
export const mutatingBindingStrategy = bindingStrategy<MutatingAdmissionPolicyBinding>(
  'io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBindingSpec',
  validateMutatingBinding,
);
