import {
  type DeepReadonly,
  type FieldErrors,
  isDNS1123Subdomain,
  isValidLabelValue,
  type LabelSelector,
  nameIsDNSLabel,
  validateLabelName,
  validateLabelSelector,
} from '@skiff/apimachinery';
import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
} from '../../../generated/types/core-v1.ts';
import { invalidEach } from '../../../validation.ts';
import type { PodValidationOptions } from './validation-options.ts';

function validateNodeRequirement(
  requirement: DeepReadonly<NodeSelectorRequirement>,
  path: string,
  allowInvalidValues: boolean,
  errors: FieldErrors,
): void {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) errors.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) errors.forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      break;
    case 'Gt':
    case 'Lt':
      if (values.length !== 1) errors.required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'");
      break;
    default:
      errors.invalid(`${path}.operator`, requirement.operator ?? '', 'not a valid selector operator');
  }
  validateLabelName(requirement.key ?? '', `${path}.key`, errors);
  if (allowInvalidValues) return;
  for (const [i, value] of values.entries()) invalidEach(errors, `${path}.values[${i}]`, value, isValidLabelValue(value));
}

function validateNodeFieldRequirement(requirement: DeepReadonly<NodeSelectorRequirement>, path: string, errors: FieldErrors): void {
  const values = requirement.values ?? [];
  if (requirement.operator !== 'In' && requirement.operator !== 'NotIn') {
    errors.invalid(`${path}.operator`, requirement.operator ?? '', 'not a valid selector operator');
  } else if (values.length !== 1) {
    errors.required(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
  }
  if (requirement.key !== 'metadata.name') errors.invalid(`${path}.key`, requirement.key ?? '', 'not a valid field selector key');
  else for (const [i, value] of values.entries()) invalidEach(errors, `${path}.values[${i}]`, value, isDNS1123Subdomain(value));
}

function validateNodeSelectorTerm(
  term: DeepReadonly<NodeSelectorTerm>,
  path: string,
  allowInvalidValues: boolean,
  errors: FieldErrors,
): void {
  for (const [i, requirement] of (term.matchExpressions ?? []).entries()) {
    validateNodeRequirement(requirement, `${path}.matchExpressions[${i}]`, allowInvalidValues, errors);
  }
  for (const [i, requirement] of (term.matchFields ?? []).entries()) {
    validateNodeFieldRequirement(requirement, `${path}.matchFields[${i}]`, errors);
  }
}

export function validateNodeSelector(
  selector: DeepReadonly<NodeSelector>,
  path: string,
  allowInvalidValues: boolean,
  errors: FieldErrors,
): void {
  const terms = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) errors.required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term');
  for (const [i, term] of terms.entries()) validateNodeSelectorTerm(term, `${path}.nodeSelectorTerms[${i}]`, allowInvalidValues, errors);
}

const weight = (value: number | undefined, path: string, errors: FieldErrors): void => {
  if (value === undefined || value <= 0 || value > 100) errors.invalid(`${path}.weight`, value ?? 0, 'must be in the range 1-100');
};

export function validateAffinity(affinity: DeepReadonly<Affinity>, path: string, errors: FieldErrors, options: PodValidationOptions): void {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity;
  const required = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required) {
    const at = `${path}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution`;
    validateNodeSelector(required, at, options.allowInvalidLabelValueInRequiredNodeAffinity, errors);
  }
  for (const [i, term] of (nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    const at = `${path}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
    weight(term.weight, at, errors);
    validateNodeSelectorTerm(term.preference ?? {}, `${at}.preference`, true, errors);
  }
  if (podAffinity) validatePodAffinity(podAffinity, `${path}.podAffinity`, errors, options);
  if (podAntiAffinity) validatePodAffinity(podAntiAffinity, `${path}.podAntiAffinity`, errors, options);
}

function validatePodAffinity(affinity: DeepReadonly<PodAffinity>, path: string, errors: FieldErrors, options: PodValidationOptions): void {
  for (const [i, term] of (affinity.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    validateTerm(term, `${path}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`, errors, options);
  }
  for (const [i, weighted] of (affinity.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    const at = `${path}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
    weight(weighted.weight, at, errors);
    validateTerm(weighted.podAffinityTerm ?? { topologyKey: '' }, `${at}.podAffinityTerm`, errors, options);
  }
}

function validateTerm(term: DeepReadonly<PodAffinityTerm>, path: string, errors: FieldErrors, options: PodValidationOptions): void {
  const { allowInvalidLabelValueInSelector } = options;
  validateLabelSelector(term.labelSelector, `${path}.labelSelector`, errors, { allowInvalidLabelValueInSelector });
  validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`, errors, { allowInvalidLabelValueInSelector });
  for (const name of term.namespaces ?? []) invalidEach(errors, `${path}.namespace`, name, nameIsDNSLabel(name, false));
  validateLabelKeys(term, path, errors);
  if (!term.topologyKey) errors.required(`${path}.topologyKey`, 'can not be empty');
  validateLabelName(term.topologyKey ?? '', `${path}.topologyKey`, errors);
}

interface LabelKeys {
  readonly matchLabelKeys?: readonly string[];
  readonly mismatchLabelKeys?: readonly string[];
  readonly labelSelector?: DeepReadonly<LabelSelector>;
}

/** KEP-3633: keys whose values are taken from the Pod's own labels. */
export function validateLabelKeys(keys: LabelKeys, path: string, errors: FieldErrors): void {
  const match = keys.matchLabelKeys ?? [];
  const mismatch = keys.mismatchLabelKeys ?? [];
  for (const [field, list] of [
    ['matchLabelKeys', match],
    ['mismatchLabelKeys', mismatch],
  ] as const) {
    if (list.length > 0 && keys.labelSelector === undefined) {
      errors.forbidden(`${path}.${field}`, 'must not be specified when labelSelector is not set');
    } else for (const [i, key] of list.entries()) validateLabelName(key, `${path}.${field}[${i}]`, errors);
  }
  const selected = new Set(Object.keys(keys.labelSelector?.matchLabels ?? {}));
  for (const { key } of keys.labelSelector?.matchExpressions ?? []) {
    // At creation each key adds one expression of its own; a second one means that the client had it too.
    if (match.includes(key) && selected.has(key)) {
      errors.invalid(`${path}[${match.lastIndexOf(key)}]`, key, 'exists in both matchLabelKeys and labelSelector');
    }
    selected.add(key);
  }
  for (const [i, key] of match.entries()) {
    if (mismatch.includes(key)) errors.invalid(`${path}.matchLabelKeys[${i}]`, key, 'exists in both matchLabelKeys and mismatchLabelKeys');
  }
}
