import { type DeepReadonly, FieldErrors, validateConditions, validateLabelSelector } from '@skiff/apimachinery';
import type { PodDisruptionBudget } from '../../generated/types/policy-v1.ts';
import { goValue } from '../../go-value.ts';
import { validateIntOrPercent, validateNotMoreThan100Percent } from '../../int-or-percent.ts';
import { nonNegative } from '../../validation.ts';

type Budget = DeepReadonly<PodDisruptionBudget>;

export function validateBudget(budget: Budget, errors: FieldErrors, old?: Budget): void {
  const spec = budget.spec ?? {};
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    const shown = goValue('io.k8s.api.policy.v1.PodDisruptionBudgetSpec', spec);
    errors.invalid('spec', shown, 'minAvailable and maxUnavailable cannot be both set');
  }
  for (const field of ['minAvailable', 'maxUnavailable'] as const) {
    const value = spec[field];
    if (value === undefined) continue;
    validateIntOrPercent(value, `spec.${field}`, errors);
    validateNotMoreThan100Percent(value, `spec.${field}`, errors);
  }
  const found = new FieldErrors();
  validateLabelSelector(old?.spec?.selector, '', found);
  validateLabelSelector(spec.selector, 'spec.selector', errors, { allowInvalidLabelValueInSelector: !found.empty });
  const policies = ['AlwaysAllow', 'IfHealthyBudget'];
  const policy = spec.unhealthyPodEvictionPolicy;
  if (policy !== undefined && !policies.includes(policy)) errors.notSupported('spec.unhealthyPodEvictionPolicy', policy, policies);
}

export function validateBudgetStatus(budget: Budget, errors: FieldErrors): void {
  const status = budget.status;
  validateConditions(status?.conditions ?? [], 'status.conditions', errors);
  for (const field of ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const) {
    nonNegative(errors, `status.${field}`, status?.[field]);
  }
}
