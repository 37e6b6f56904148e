import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyOnPodConditionsPattern,
  PodFailurePolicyRule,
  SuccessPolicyRule,
} from '../../generated/types/batch-v1.ts';
import { invalidWhole, nonNegative, qualifiedName } from '../../validation.ts';
import { countIndexes } from './job-indexes.ts';

type Spec = DeepReadonly<JobSpec>;

const max = { rules: 20, exitCodes: 255, patterns: 20, indexesBytes: 64 * 1024 };
const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];

/** A Go %q of a list: `["a" "b"]`. */
const quotedList = (values: readonly string[]): string => `[${values.map((v) => JSON.stringify(v)).join(' ')}]`;

function requireOneOfList(value: string, path: string, supported: readonly string[], errors: FieldErrors): void {
  if (value === '') errors.required(path, `valid values: ${quotedList(supported)}`);
  else if (!supported.includes(value)) errors.notSupported(path, value, supported);
}

export function validatePodFailurePolicy(spec: Spec, path: string, errors: FieldErrors): void {
  const rules = spec.podFailurePolicy?.rules ?? [];
  if (rules.length > max.rules) errors.tooMany(path, rules.length, max.rules);
  const { containers = [], initContainers = [] } = spec.template.spec ?? {};
  const names = new Set([...containers, ...initContainers].map((c) => c.name));
  for (const [i, rule] of rules.entries()) validateFailureRule(rule, { spec, names, path: `${path}[${i}]` }, errors);
}

function validateFailureRule(
  rule: DeepReadonly<PodFailurePolicyRule>,
  o: { spec: Spec; names: ReadonlySet<string>; path: string },
  errors: FieldErrors,
): void {
  const at = `${o.path}.action`;
  if (rule.action !== 'FailIndex') requireOneOfList(rule.action, at, actions, errors);
  else if (o.spec.backoffLimitPerIndex === undefined) errors.invalid(at, rule.action, 'requires the backoffLimitPerIndex to be set');
  const codes = rule.onExitCodes;
  const patterns = rule.onPodConditions ?? [];
  if (codes) validateExitCodes(codes, `${o.path}.onExitCodes`, o.names, errors);
  validatePatterns(patterns, `${o.path}.onPodConditions`, errors);
  if (codes && patterns.length > 0) invalidWhole(errors, o.path, 'specifying both OnExitCodes and OnPodConditions is not supported');
  if (!codes && patterns.length === 0) invalidWhole(errors, o.path, 'specifying one of OnExitCodes and OnPodConditions is required');
}

function validateExitCodes(
  codes: DeepReadonly<PodFailurePolicyOnExitCodesRequirement>,
  path: string,
  names: ReadonlySet<string>,
  errors: FieldErrors,
): void {
  requireOneOfList(codes.operator, `${path}.operator`, ['In', 'NotIn'], errors);
  const { containerName: container, values } = codes;
  if (container !== undefined && !names.has(container)) {
    errors.invalid(`${path}.containerName`, container, 'must be one of the container or initContainer names in the pod template');
  }
  const at = `${path}.values`;
  if (values.length === 0) errors.invalid(at, values, 'at least one value is required');
  else if (values.length > max.exitCodes) errors.tooMany(at, values.length, max.exitCodes);
  for (const [i, value] of values.entries()) {
    if (codes.operator === 'In' && value === 0) errors.invalid(`${at}[${i}]`, value, 'must not be 0 for the In operator');
    if (values.indexOf(value) < i) errors.duplicate(`${at}[${i}]`, value);
  }
  if (values.some((value, i) => i > 0 && (values[i - 1] ?? 0) > value)) errors.invalid(at, values, 'must be ordered');
}

function validatePatterns(
  patterns: readonly DeepReadonly<PodFailurePolicyOnPodConditionsPattern>[],
  path: string,
  errors: FieldErrors,
): void {
  if (patterns.length > max.patterns) errors.tooMany(path, patterns.length, max.patterns);
  for (const [i, pattern] of patterns.entries()) {
    qualifiedName(errors, `${path}[${i}].type`, pattern.type);
    requireOneOfList(pattern.status ?? '', `${path}[${i}].status`, ['False', 'True', 'Unknown'], errors);
  }
}

export function validateSuccessPolicy(spec: Spec, path: string, errors: FieldErrors): void {
  const rules = spec.successPolicy?.rules ?? [];
  if (rules.length === 0) errors.required(path, 'at least one rules must be specified when the successPolicy is specified');
  if (rules.length > max.rules) errors.tooMany(path, rules.length, max.rules);
  for (const [i, rule] of rules.entries()) validateSuccessRule(rule, spec.completions ?? 0, `${path}[${i}]`, errors);
}

function validateSuccessRule(rule: DeepReadonly<SuccessPolicyRule>, completions: number, path: string, errors: FieldErrors): void {
  const { succeededCount: count, succeededIndexes: indexes } = rule;
  if (count === undefined && indexes === undefined) {
    errors.required(path, 'at least one of succeededCount or succeededIndexes must be specified');
  }
  let total = 0;
  if (indexes !== undefined) {
    const at = `${path}.succeededIndexes`;
    if (indexes.length > max.indexesBytes) errors.tooLong(at, max.indexesBytes);
    const counted = countIndexes(indexes, completions);
    if (typeof counted === 'string') errors.invalid(at, indexes, `error parsing succeededIndexes: ${counted}`);
    else total = counted;
  }
  if (count === undefined) return;
  const at = `${path}.succeededCount`;
  nonNegative(errors, at, count);
  const limit = (most: number, what: string): void => {
    if (count > most) errors.invalid(at, count, `must be less than or equal to ${most} (the number of ${what})`);
  };
  limit(completions, 'specified completions');
  if (indexes !== undefined) limit(total, 'indexes in the specified succeededIndexes field');
}
