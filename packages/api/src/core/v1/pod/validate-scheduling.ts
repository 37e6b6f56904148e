import { type DeepReadonly, type FieldErrors, isValidLabelValue, validateLabelName, validateLabelSelector } from '@skiff/apimachinery';
import type { PodSchedulingGate, Toleration, TopologySpreadConstraint } from '../../../generated/types/core-v1.ts';
import { positive, qualifiedName, supportedOnly } from '../../../validation.ts';
import { validateLabelKeys } from './validate-affinity.ts';
import type { PodValidationOptions } from './validation-options.ts';

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function validateTaintEffect(effect: string, path: string, errors: FieldErrors): void {
  if (!taintEffects.includes(effect)) errors.notSupported(path, effect, taintEffects);
}

export function validateTolerations(tolerations: readonly DeepReadonly<Toleration>[], path: string, errors: FieldErrors): void {
  for (const [i, toleration] of tolerations.entries()) {
    const at = `${path}[${i}]`;
    const { key = '', operator = '', value = '', effect = '', tolerationSeconds } = toleration;
    if (key !== '') validateLabelName(key, `${at}.key`, errors);
    else if (operator !== 'Exists') {
      errors.invalid(
        `${at}.operator`,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      );
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.invalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
    validateOperator(operator, value, `${at}.operator`, errors);
    if (effect !== '') validateTaintEffect(effect, `${at}.effect`, errors);
  }
}

function validateOperator(operator: string, value: string, path: string, errors: FieldErrors): void {
  switch (operator) {
    case '':
    case 'Equal': {
      const complaints = isValidLabelValue(value);
      if (complaints.length > 0) errors.invalid(path, value, complaints.join(';'));
      break;
    }
    case 'Exists':
      if (value !== '') errors.invalid(path, value, "value must be empty when `operator` is 'Exists'");
      break;
    case 'Lt':
    case 'Gt':
      errors.notSupported(path, operator, ['Equal', 'Exists', 'Lt', 'Gt']);
      break;
    default:
      errors.notSupported(path, operator, ['Equal', 'Exists']);
  }
}

export function validateSchedulingGates(gates: readonly DeepReadonly<PodSchedulingGate>[], path: string, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const [i, { name = '' }] of gates.entries()) {
    qualifiedName(errors, `${path}[${i}]`, name);
    if (seen.has(name)) errors.duplicate(`${path}[${i}]`, name);
    seen.add(name);
  }
}

export function validateTopologySpread(
  constraints: readonly DeepReadonly<TopologySpreadConstraint>[],
  path: string,
  errors: FieldErrors,
  options: PodValidationOptions,
): void {
  for (const [i, constraint] of constraints.entries()) {
    const at = `${path}[${i}]`;
    const { topologyKey, whenUnsatisfiable, minDomains } = constraint;
    positive(errors, `${at}.maxSkew`, constraint.maxSkew);
    if (topologyKey === '') errors.required(`${at}.topologyKey`, 'can not be empty');
    supportedOnly(errors, `${at}.whenUnsatisfiable`, whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway']);
    if (constraints.slice(i + 1).some((c) => c.topologyKey === topologyKey && c.whenUnsatisfiable === whenUnsatisfiable)) {
      errors.duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`);
    }
    if (minDomains !== undefined) {
      positive(errors, `${at}.minDomains`, minDomains);
      if (whenUnsatisfiable !== 'DoNotSchedule') {
        const detail = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`;
        errors.invalid(`${at}.minDomains`, minDomains, detail);
      }
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      if (constraint[field] !== undefined) supportedOnly(errors, `${at}.${field}`, constraint[field], ['Honor', 'Ignore']);
    }
    validateLabelKeys(constraint, at, errors);
    if (!options.allowInvalidTopologySpreadLabelSelector) validateLabelSelector(constraint.labelSelector, `${at}.labelSelector`, errors);
  }
}
