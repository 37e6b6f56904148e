import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type { ReplicationController } from '../../generated/types/core-v1.ts';
import { validateReplicaCounts } from '../../replica-counts.ts';
import { nonNegative } from '../../validation.ts';
import { mustMatchTemplate, validateAlwaysRunning, validatePodTemplate } from './pod-template-validation.ts';

type RC = DeepReadonly<ReplicationController>;

export function validateReplicationController(rc: RC, errors: FieldErrors, old?: RC): void {
  const spec = rc.spec ?? {};
  nonNegative(errors, 'spec.minReadySeconds', spec.minReadySeconds);
  const selector = Object.entries(spec.selector ?? {});
  if (selector.length === 0) errors.required('spec.selector');
  nonNegative(errors, 'spec.replicas', spec.replicas);
  const template = spec.template;
  if (template === undefined) return errors.required('spec.template');
  const labels = template.metadata?.labels ?? {};
  if (!selector.every(([key, value]) => labels[key] === value)) mustMatchTemplate(template, 'spec.template', errors);
  validatePodTemplate(template, 'spec.template', errors, old?.spec?.template);
  validateAlwaysRunning(template, 'spec.template', 'ReplicationController', errors);
}

export function validateReplicationControllerStatus(rc: RC, errors: FieldErrors): void {
  const parts = ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'];
  validateReplicaCounts(rc.status ?? {}, { counts: ['replicas', ...parts, 'observedGeneration'], parts }, errors);
}
