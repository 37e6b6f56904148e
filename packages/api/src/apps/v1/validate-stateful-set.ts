import { type DeepReadonly, type FieldErrors, isDNS1123Label, validateAnnotations, validateLabels } from '@skiff/apimachinery';
import { validatePodAnnotations } from '../../core/v1/pod/validate-annotations.ts';
import {
  mustMatchTemplate,
  selectorMatches,
  validatePodTemplate,
  validateWorkloadSelector,
} from '../../core/v1/pod-template-validation.ts';
import { validateClaimSpec } from '../../core/v1/volume-claim-validation.ts';
import type { PodTemplateSpec, Volume } from '../../generated/types/core-v1.ts';
import type { StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy } from '../../generated/types/apps-v1.ts';
import { goValue, shownSelector } from '../../go-value.ts';
import { intOrPercentValue, validateIntOrPercent, validateNotMoreThan100Percent } from '../../int-or-percent.ts';
import { validateCollisionCount, validateReplicaCounts } from '../../replica-counts.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import { invalidEach, nonNegative } from '../../validation.ts';

type Spec = DeepReadonly<StatefulSetSpec>;

function validateStrategy(strategy: DeepReadonly<StatefulSetUpdateStrategy>, path: string, errors: FieldErrors): void {
  const { type, rollingUpdate } = strategy;
  if (!type) errors.required(path);
  else if (type === 'OnDelete') {
    if (!rollingUpdate) return;
    const shown = goValue('io.k8s.api.apps.v1.RollingUpdateStatefulSetStrategy', rollingUpdate);
    errors.invalid(`${path}.rollingUpdate`, shown, "only allowed for updateStrategy 'RollingUpdate'");
  } else if (type !== 'RollingUpdate') {
    errors.invalid(path, goValue('io.k8s.api.apps.v1.StatefulSetUpdateStrategy', strategy), "must be 'RollingUpdate' or 'OnDelete'");
  } else if (rollingUpdate) {
    nonNegative(errors, `${path}.rollingUpdate.partition`, rollingUpdate.partition);
    const max = rollingUpdate.maxUnavailable;
    if (max === undefined) return;
    const at = `${path}.rollingUpdate.maxUnavailable`;
    validateIntOrPercent(max, at, errors);
    if (intOrPercentValue(max) === 0) errors.invalid(at, max, 'cannot be 0');
    validateNotMoreThan100Percent(max, at, errors);
  }
}

/** The template as its Pods will have it: with the volumes that the claim templates add, and without what the controller overwrites. */
function effectiveTemplate(spec: Spec): DeepReadonly<PodTemplateSpec> {
  const claims = [...new Set((spec.volumeClaimTemplates ?? []).map((c) => c.metadata?.name ?? ''))];
  const added: Volume[] = claims.map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  const own = (spec.template.spec?.volumes ?? []).filter((v) => !claims.includes(v.name));
  const volumes = [...added, ...own];
  return { ...spec.template, spec: { containers: [], ...spec.template.spec, hostname: '', subdomain: '', volumes } };
}

export function validateStatefulSet(statefulSet: DeepReadonly<StatefulSet>, errors: FieldErrors, old?: DeepReadonly<StatefulSet>): void {
  const spec = statefulSet.spec;
  if (spec === undefined) return;
  const management = spec.podManagementPolicy;
  if (!management) errors.required('spec.podManagementPolicy');
  else if (management !== 'OrderedReady' && management !== 'Parallel') {
    errors.invalid('spec.podManagementPolicy', management, "must be 'OrderedReady' or 'Parallel'");
  }
  validateStrategy(spec.updateStrategy ?? {}, 'spec.updateStrategy', errors);
  for (const when of ['whenDeleted', 'whenScaled'] as const) {
    const policy = spec.persistentVolumeClaimRetentionPolicy?.[when] ?? '';
    if (policy !== 'Retain' && policy !== 'Delete') {
      errors.notSupported(`spec.persistentVolumeClaimRetentionPolicy.${when}`, policy, ['Retain', 'Delete']);
    }
  }
  if (old === undefined) {
    for (const [i, claim] of (spec.volumeClaimTemplates ?? []).entries()) {
      validateClaimSpec(claim.spec ?? {}, `spec.volumeClaimTemplates[${i}].spec`, errors);
    }
  }
  nonNegative(errors, 'spec.replicas', spec.replicas);
  nonNegative(errors, 'spec.minReadySeconds', spec.minReadySeconds);
  nonNegative(errors, 'spec.ordinals.start', spec.ordinals?.start);
  if (old === undefined && spec.serviceName) invalidEach(errors, 'spec.serviceName', spec.serviceName, isDNS1123Label(spec.serviceName));
  validateWorkloadSelector(spec.selector, { path: 'spec.selector', kind: 'statefulset' }, errors);
  validateTemplate(spec, errors, old?.spec);
}

function validateTemplate(spec: Spec, errors: FieldErrors, old: Spec | undefined): void {
  const template = spec.template;
  const matches = selectorMatches(spec.selector, template);
  if (matches === undefined) errors.invalid('spec.selector', shownSelector(spec.selector), '');
  else {
    if (!matches) mustMatchTemplate(template, 'spec.template', errors);
    validatePodTemplate(effectiveTemplate(spec), 'spec.template', errors, old?.template);
    validateLabels(template.metadata?.labels, 'spec.template.labels', errors);
    validateAnnotations(template.metadata?.annotations, 'spec.template.annotations', errors);
    validatePodAnnotations(template, errors, 'spec.template.annotations');
  }
  const restartPolicy = template.spec?.restartPolicy ?? '';
  if (restartPolicy !== 'Always') errors.notSupported('spec.template.spec.restartPolicy', restartPolicy, ['Always']);
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    errors.forbidden('spec.template.spec.activeDeadlineSeconds', 'activeDeadlineSeconds in StatefulSet is not Supported');
  }
}

const mutable = [
  'replicas',
  'template',
  'updateStrategy',
  'minReadySeconds',
  'ordinals',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
] as const;

export function validateStatefulSetUpdate(
  statefulSet: DeepReadonly<StatefulSet>,
  old: DeepReadonly<StatefulSet>,
  errors: FieldErrors,
): void {
  validateStatefulSet(statefulSet, errors, old);
  const kept = Object.fromEntries(mutable.map((field) => [field, old.spec?.[field]]));
  if (semanticEqual('io.k8s.api.apps.v1.StatefulSetSpec', { ...statefulSet.spec, ...kept }, old.spec)) return;
  errors.forbidden(
    'spec',
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
  );
}

export function validateStatefulSetStatus(
  statefulSet: DeepReadonly<StatefulSet>,
  old: DeepReadonly<StatefulSet>,
  errors: FieldErrors,
): void {
  const parts = ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'];
  const rules = { counts: ['replicas', ...parts, 'observedGeneration', 'collisionCount'], parts, ready: 'status.readyReplicas' };
  validateReplicaCounts(statefulSet.status ?? {}, rules, errors);
  validateCollisionCount(statefulSet.status, old.status, errors);
}
