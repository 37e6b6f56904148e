import { type DeepReadonly, type FieldErrors, fieldImmutableError } from '@skiff/apimachinery';
import {
  mustMatchTemplate,
  selectorMatches,
  validateAlwaysRunning,
  validatePodTemplate,
  validateWorkloadSelector,
} from '../../core/v1/pod-template-validation.ts';
import type { Deployment, DeploymentSpec, DeploymentStrategy, ReplicaSet, ReplicaSetSpec } from '../../generated/types/apps-v1.ts';
import { goValue, shownSelector } from '../../go-value.ts';
import { intOrPercentValue, validateIntOrPercent, validateNotMoreThan100Percent } from '../../int-or-percent.ts';
import { validateCollisionCount, validateReplicaCounts } from '../../replica-counts.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import { nonNegative } from '../../validation.ts';

type Workload = DeepReadonly<DeploymentSpec> | DeepReadonly<ReplicaSetSpec>;

/** What Deployment and ReplicaSet have in common: selector and template. */
function validateSelectorAndTemplate(spec: Workload, errors: FieldErrors, old: Workload | undefined): void {
  validateWorkloadSelector(spec.selector, { path: 'spec.selector', kind: 'deployment' }, errors);
  const template = spec.template ?? {};
  const matches = selectorMatches(spec.selector, template);
  if (matches === undefined) return errors.invalid('spec.selector', shownSelector(spec.selector), 'invalid label selector');
  if (!matches) mustMatchTemplate(template, 'spec.template', errors);
  validatePodTemplate(template, 'spec.template', errors, old?.template);
  validateAlwaysRunning(template, 'spec.template', 'ReplicaSet', errors);
}

function immutableSelector(spec: Workload | undefined, old: Workload | undefined, errors: FieldErrors): void {
  if (semanticEqual('io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector', spec?.selector, old?.selector)) return;
  errors.invalid('spec.selector', shownSelector(spec?.selector), fieldImmutableError);
}

function validateStrategy(strategy: DeepReadonly<DeploymentStrategy>, path: string, errors: FieldErrors): void {
  const { type, rollingUpdate } = strategy;
  if (type === 'Recreate') {
    if (rollingUpdate) errors.forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'");
    return;
  }
  if (type !== 'RollingUpdate') {
    return errors.notSupported(path, goValue('io.k8s.api.apps.v1.DeploymentStrategy', strategy), ['Recreate', 'RollingUpdate']);
  }
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate ?? {};
  const at = `${path}.rollingUpdate.maxUnavailable`;
  validateIntOrPercent(maxUnavailable, at, errors);
  validateIntOrPercent(maxSurge, `${path}.rollingUpdate.maxSurge`, errors);
  if (intOrPercentValue(maxUnavailable) === 0 && intOrPercentValue(maxSurge) === 0) {
    errors.invalid(at, maxUnavailable, 'may not be 0 when `maxSurge` is 0');
  }
  validateNotMoreThan100Percent(maxUnavailable, at, errors);
}

export function validateDeployment(deployment: DeepReadonly<Deployment>, errors: FieldErrors, old?: DeepReadonly<Deployment>): void {
  const spec = deployment.spec;
  if (spec === undefined) return;
  nonNegative(errors, 'spec.replicas', spec.replicas);
  validateSelectorAndTemplate(spec, errors, old?.spec);
  validateStrategy(spec.strategy ?? {}, 'spec.strategy', errors);
  nonNegative(errors, 'spec.minReadySeconds', spec.minReadySeconds);
  nonNegative(errors, 'spec.revisionHistoryLimit', spec.revisionHistoryLimit);
  const deadline = spec.progressDeadlineSeconds;
  if (deadline === undefined) return;
  nonNegative(errors, 'spec.progressDeadlineSeconds', deadline);
  if (deadline <= (spec.minReadySeconds ?? 0))
    errors.invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds');
}

export function validateDeploymentUpdate(deployment: DeepReadonly<Deployment>, old: DeepReadonly<Deployment>, errors: FieldErrors): void {
  validateDeployment(deployment, errors, old);
  immutableSelector(deployment.spec, old.spec, errors);
}

export function validateDeploymentStatus(deployment: DeepReadonly<Deployment>, old: DeepReadonly<Deployment>, errors: FieldErrors): void {
  const rules = {
    counts: [
      'observedGeneration',
      'replicas',
      'updatedReplicas',
      'readyReplicas',
      'availableReplicas',
      'unavailableReplicas',
      'terminatingReplicas',
      'collisionCount',
    ],
    parts: ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
  };
  validateReplicaCounts(deployment.status ?? {}, rules, errors);
  validateCollisionCount(deployment.status, old.status, errors);
}

export function validateReplicaSet(replicaSet: DeepReadonly<ReplicaSet>, errors: FieldErrors, old?: DeepReadonly<ReplicaSet>): void {
  const spec = replicaSet.spec;
  if (spec === undefined) return;
  nonNegative(errors, 'spec.replicas', spec.replicas);
  nonNegative(errors, 'spec.minReadySeconds', spec.minReadySeconds);
  validateSelectorAndTemplate(spec, errors, old?.spec);
}

export function validateReplicaSetUpdate(replicaSet: DeepReadonly<ReplicaSet>, old: DeepReadonly<ReplicaSet>, errors: FieldErrors): void {
  validateReplicaSet(replicaSet, errors, old);
  immutableSelector(replicaSet.spec, old.spec, errors);
}

export function validateReplicaSetStatus(replicaSet: DeepReadonly<ReplicaSet>, errors: FieldErrors): void {
  const parts = ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'];
  const rules = { counts: ['replicas', ...parts, 'observedGeneration', 'terminatingReplicas'], parts };
  validateReplicaCounts(replicaSet.status ?? {}, rules, errors);
}
