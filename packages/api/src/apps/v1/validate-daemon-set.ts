import { type DeepReadonly, type FieldErrors, fieldImmutableError, validateLabelSelector } from '@skiff/apimachinery';
import { mustMatchTemplate, selectorMatches, validateAlwaysRunning, validatePodTemplate } from '../../core/v1/pod-template-validation.ts';
import type { DaemonSet, DaemonSetUpdateStrategy } from '../../generated/types/apps-v1.ts';
import { goValue, shownSelector } from '../../go-value.ts';
import { intOrPercentValue, validateIntOrPercent, validateNotMoreThan100Percent } from '../../int-or-percent.ts';
import { validateCollisionCount, validateReplicaCounts } from '../../replica-counts.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import { nonNegative } from '../../validation.ts';

function validateStrategy(strategy: DeepReadonly<DaemonSetUpdateStrategy>, path: string, errors: FieldErrors): void {
  if (strategy.type === 'OnDelete') return;
  if (strategy.type !== 'RollingUpdate') {
    return errors.notSupported(path, goValue('io.k8s.api.apps.v1.DaemonSetUpdateStrategy', strategy), ['RollingUpdate', 'OnDelete']);
  }
  const { maxUnavailable = 0, maxSurge = 0 } = strategy.rollingUpdate ?? {};
  const [unavailablePath, surgePath] = [`${path}.rollingUpdate.maxUnavailable`, `${path}.rollingUpdate.maxSurge`];
  validateIntOrPercent(maxUnavailable, unavailablePath, errors);
  validateIntOrPercent(maxSurge, surgePath, errors);
  validateNotMoreThan100Percent(maxUnavailable, unavailablePath, errors);
  validateNotMoreThan100Percent(maxSurge, surgePath, errors);
  const [unavailable, surge] = [intOrPercentValue(maxUnavailable) !== 0, intOrPercentValue(maxSurge) !== 0];
  if (unavailable && surge) errors.invalid(surgePath, maxSurge, 'may not be set when maxUnavailable is non-zero');
  if (!unavailable && !surge) errors.required(unavailablePath, 'cannot be 0 when maxSurge is 0');
}

export function validateDaemonSet(daemonSet: DeepReadonly<DaemonSet>, errors: FieldErrors, old?: DeepReadonly<DaemonSet>): void {
  const spec = daemonSet.spec;
  if (spec === undefined) return;
  const { selector, template } = spec;
  validateLabelSelector(selector, 'spec.selector', errors);
  if (selectorMatches(selector, template) === false) mustMatchTemplate(template, 'spec.template', errors);
  if (selector && Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0) {
    errors.invalid('spec.selector', shownSelector(selector), 'empty selector is invalid for daemonset');
  }
  validatePodTemplate(template, 'spec.template', errors, old?.spec?.template);
  validateAlwaysRunning(template, 'spec.template', 'DaemonSet', errors);
  nonNegative(errors, 'spec.minReadySeconds', spec.minReadySeconds);
  validateStrategy(spec.updateStrategy ?? {}, 'spec.updateStrategy', errors);
  nonNegative(errors, 'spec.revisionHistoryLimit', spec.revisionHistoryLimit);
}

export function validateDaemonSetUpdate(daemonSet: DeepReadonly<DaemonSet>, old: DeepReadonly<DaemonSet>, errors: FieldErrors): void {
  if (!semanticEqual('io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector', daemonSet.spec?.selector, old.spec?.selector)) {
    errors.invalid('spec.selector', shownSelector(daemonSet.spec?.selector), fieldImmutableError);
  }
  validateDaemonSet(daemonSet, errors, old);
}

export function validateDaemonSetStatus(daemonSet: DeepReadonly<DaemonSet>, old: DeepReadonly<DaemonSet>, errors: FieldErrors): void {
  const counts = [
    'currentNumberScheduled',
    'numberMisscheduled',
    'desiredNumberScheduled',
    'numberReady',
    'observedGeneration',
    'updatedNumberScheduled',
    'numberAvailable',
    'numberUnavailable',
    'collisionCount',
  ];
  validateReplicaCounts(daemonSet.status ?? {}, { counts, parts: [] }, errors);
  validateCollisionCount(daemonSet.status, old.status, errors);
}
