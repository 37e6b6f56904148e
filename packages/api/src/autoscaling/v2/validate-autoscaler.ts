import {
  type DeepReadonly,
  type FieldErrors,
  isNegativeError,
  isPathSegmentName,
  parseGroupVersion,
  quantitySign,
} from '@skiff/apimachinery';
import type { CrossVersionObjectReference, HorizontalPodAutoscaler, HPAScalingRules } from '../../generated/types/autoscaling-v2.ts';
import { invalidEach, nonNegative, requireText } from '../../validation.ts';
import { validateMetric } from './validate-metrics.ts';

type Autoscaler = DeepReadonly<HorizontalPodAutoscaler>;

export interface ReferenceRules {
  /** Kinds of the core group, which has no name, are fine. */
  readonly allowCoreGroup: boolean;
  readonly allowAnyVersion: boolean;
}

/** What is wrong with an apiVersion; undefined when it is good. */
function versionComplaint(apiVersion: string, allowCoreGroup: boolean): string | undefined {
  if (apiVersion.split('/').length > 2) return `unexpected GroupVersion string: ${apiVersion}`;
  return !allowCoreGroup && parseGroupVersion(apiVersion).group === '' ? 'apiVersion must specify API group' : undefined;
}

export function validateReference(
  ref: DeepReadonly<CrossVersionObjectReference>,
  path: string,
  errors: FieldErrors,
  rules: ReferenceRules,
): void {
  for (const field of ['kind', 'name'] as const) {
    const text = ref[field];
    if (requireText(errors, `${path}.${field}`, text)) invalidEach(errors, `${path}.${field}`, text, isPathSegmentName(text, false));
  }
  const apiVersion = ref.apiVersion ?? '';
  const complaint = rules.allowAnyVersion ? undefined : versionComplaint(apiVersion, rules.allowCoreGroup);
  if (complaint !== undefined) errors.invalid(`${path}.apiVersion`, apiVersion, complaint);
}

export function validateAutoscaler(autoscaler: Autoscaler, errors: FieldErrors, old?: Autoscaler): void {
  const spec = autoscaler.spec;
  if (spec === undefined) return;
  const { minReplicas, maxReplicas } = spec;
  const before = old?.spec;
  const least = before?.minReplicas === 0 ? 0 : 1;
  if (minReplicas !== undefined && minReplicas < least) {
    errors.invalid('spec.minReplicas', minReplicas, `must be greater than or equal to ${least}`);
  }
  if (maxReplicas === 0) errors.required('spec.maxReplicas', 'must be set and greater than 0');
  else if (maxReplicas < 0) errors.invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to 1');
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`');
  }
  const ref = spec.scaleTargetRef;
  const same = before?.scaleTargetRef.apiVersion === ref.apiVersion && before?.scaleTargetRef.kind === ref.kind;
  validateReference(ref, 'spec.scaleTargetRef', errors, {
    allowAnyVersion: before !== undefined && same,
    allowCoreGroup: ref.kind === 'ReplicationController',
  });
  const brokenBefore = (before?.metrics ?? []).some(
    (m) => m.type === 'Object' && versionComplaint(m.object?.describedObject.apiVersion ?? '', true) !== undefined,
  );
  const rules = { allowCoreGroup: true, allowAnyVersion: brokenBefore };
  const metrics = spec.metrics ?? [];
  for (const [i, metric] of metrics.entries()) validateMetric(metric, `spec.metrics[${i}]`, errors, rules);
  if (minReplicas === 0 && !metrics.some((m) => m.type === 'Object' || m.type === 'External')) {
    errors.forbidden('spec.metrics', 'must specify at least one Object or External metric to support scaling to zero replicas');
  }
  for (const direction of ['scaleUp', 'scaleDown'] as const) {
    const scaling = spec.behavior?.[direction];
    if (scaling) validateScaling(scaling, `spec.behavior.${direction}`, errors);
  }
}

const maxPeriodSeconds = 1800;
const maxWindowSeconds = 3600;

function validateScaling(rules: DeepReadonly<HPAScalingRules>, path: string, errors: FieldErrors): void {
  const window = rules.stabilizationWindowSeconds;
  const windowPath = `${path}.stabilizationWindowSeconds`;
  if (window !== undefined && window < 0) errors.invalid(windowPath, window, 'must be greater than or equal to zero');
  if (window !== undefined && window > maxWindowSeconds) {
    errors.invalid(windowPath, window, `must be less than or equal to ${maxWindowSeconds}`);
  }
  const selects = ['Disabled', 'Max', 'Min'];
  if (rules.selectPolicy !== undefined && !selects.includes(rules.selectPolicy)) {
    errors.notSupported(`${path}.selectPolicy`, rules.selectPolicy, selects);
  }
  const policies = rules.policies ?? [];
  if (policies.length === 0) errors.required(`${path}.policies`, 'must specify at least one Policy');
  for (const [i, { type, value, periodSeconds }] of policies.entries()) {
    const at = `${path}.policies[${i}]`;
    if (type !== 'Pods' && type !== 'Percent') errors.notSupported(`${at}.type`, type, ['Percent', 'Pods']);
    if (value <= 0) errors.invalid(`${at}.value`, value, 'must be greater than zero');
    if (periodSeconds <= 0) errors.invalid(`${at}.periodSeconds`, periodSeconds, 'must be greater than zero');
    if (periodSeconds > maxPeriodSeconds) {
      errors.invalid(`${at}.periodSeconds`, periodSeconds, `must be less than or equal to ${maxPeriodSeconds}`);
    }
  }
  const { tolerance } = rules;
  if (tolerance !== undefined && quantitySign(tolerance) < 0) errors.invalid(`${path}.tolerance`, tolerance, isNegativeError);
}

export function validateAutoscalerStatus(autoscaler: Autoscaler, errors: FieldErrors): void {
  nonNegative(errors, 'status.currentReplicas', autoscaler.status?.currentReplicas);
  nonNegative(errors, 'status.desiredReplicas', autoscaler.status?.desiredReplicas);
}
