import { type DeepReadonly, type FieldErrors, inclusiveRangeError } from '@skiff/apimachinery';
import type { Container, Pod, PodSpec, Toleration } from '../../../generated/types/core-v1.ts';
import { deepEqual, semanticEqual } from '../../../semantic-equality.ts';
import { goValue } from '../../../go-value.ts';
import { keepField } from '../../../spec-and-status.ts';
import { jsonDiff } from '../../../unified-diff.ts';
import { mirrorAnnotation, validateAnnotationUpdates } from './validate-annotations.ts';
import { keepGatedSelection } from './validate-gated-update.ts';
import { validatePodBody } from './validate-pod.ts';
import { validateTolerations } from './validate-scheduling.ts';
import { podValidationOptions } from './validation-options.ts';

type Spec = DeepReadonly<PodSpec>;
const podSpec = 'io.k8s.api.core.v1.PodSpec';
const updatableFields = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

/** A Pod is a promise that was given: only a few fields of its spec may change, and some only in one direction. */
export function validatePodUpdate(pod: DeepReadonly<Pod>, old: DeepReadonly<Pod>, errors: FieldErrors): void {
  validatePodBody(pod, errors, podValidationOptions(old.spec, { meta: pod.metadata }));
  validateAnnotationUpdates(pod, old, errors);
  const spec = pod.spec ?? { containers: [] };
  const before = old.spec ?? { containers: [] };
  for (const field of ['containers', 'initContainers'] as const) {
    if (!validateImages(spec[field] ?? [], before[field] ?? [], `spec.${field}`, errors)) return;
  }
  if (!validateDeadline(spec.activeDeadlineSeconds, before.activeDeadlineSeconds, errors)) return;
  validateOnlyAddedTolerations(spec, before, errors);
  validateOnlyRemovedGates(spec, before, errors);
  if (semanticEqual(podSpec, spec, before)) return;

  const munged = structuredClone(spec) as PodSpec;
  keepImages(munged.containers, before.containers);
  keepImages(munged.initContainers ?? [], before.initContainers ?? []);
  for (const field of ['activeDeadlineSeconds', 'schedulingGates', 'tolerations']) keepField(munged, before, field);
  if ((before.terminationGracePeriodSeconds ?? 0) < 0 && munged.terminationGracePeriodSeconds === 1) {
    keepField(munged, before, 'terminationGracePeriodSeconds');
  }
  if ((before.schedulingGates ?? []).length > 0) keepGatedSelection(munged, before, errors);
  if (semanticEqual(podSpec, munged, before)) return;
  const diff = jsonDiff(goValue(podSpec, before), goValue(podSpec, munged));
  errors.forbidden('spec', `pod updates may not change fields other than ${updatableFields}\n${diff}`);
}

/** False where nothing more can be compared. */
function validateImages(
  containers: readonly DeepReadonly<Container>[],
  before: readonly DeepReadonly<Container>[],
  path: string,
  errors: FieldErrors,
): boolean {
  if (containers.length !== before.length) {
    errors.forbidden(path, 'pod updates may not add or remove containers');
    return false;
  }
  for (const [i, { image = '' }] of containers.entries()) {
    if (image === '') errors.required(`${path}[${i}].image`);
    if (image.trim() !== image) errors.invalid(`${path}[${i}].image`, image, 'must not have leading or trailing whitespace');
  }
  return true;
}

function keepImages(containers: Container[], before: readonly DeepReadonly<Container>[]): void {
  for (const [i, container] of containers.entries()) keepField(container, before[i] ?? {}, 'image');
}

function validateDeadline(deadline: number | undefined, before: number | undefined, errors: FieldErrors): boolean {
  const path = 'spec.activeDeadlineSeconds';
  if (deadline === undefined) {
    if (before !== undefined) errors.invalid(path, null, 'must not update from a positive integer to nil value');
    return true;
  }
  if (deadline < 0 || deadline > 2147483647) {
    errors.invalid(path, deadline, inclusiveRangeError(0, 2147483647));
    return false;
  }
  if (before !== undefined && before < deadline) {
    errors.invalid(path, deadline, 'must be less than or equal to previous value');
    return false;
  }
  return true;
}

function validateOnlyAddedTolerations(spec: Spec, before: Spec, errors: FieldErrors): void {
  const same = (a: DeepReadonly<Toleration>, b: DeepReadonly<Toleration>): boolean =>
    deepEqual({ ...a, tolerationSeconds: 0 }, { ...b, tolerationSeconds: 0 });
  const tolerations = spec.tolerations ?? [];
  const kept = (before.tolerations ?? []).every((old) => tolerations.some((t) => same(t, old)));
  if (!kept) errors.forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds');
  else validateTolerations(tolerations, 'spec.tolerations', errors);
}

function validateOnlyRemovedGates(spec: Spec, before: Spec, errors: FieldErrors): void {
  const had = new Set((before.schedulingGates ?? []).map((g) => g.name));
  for (const [i, { name }] of (spec.schedulingGates ?? []).entries()) {
    if (had.has(name)) continue;
    errors.forbidden(`spec.schedulingGates[${i}].name`, `only deletion is allowed, but found new scheduling gate '${name}'`);
  }
}

/** KEP-277: containers are added to a running Pod, never changed or taken away. */
export function validateEphemeralContainersUpdate(pod: DeepReadonly<Pod>, old: DeepReadonly<Pod>, errors: FieldErrors): void {
  if (old.metadata?.annotations?.[mirrorAnnotation] !== undefined) {
    return errors.forbidden('', 'static pods do not support ephemeral containers');
  }
  validatePodBody(pod, errors, podValidationOptions(old.spec, { meta: pod.metadata }));
  validateAnnotationUpdates(pod, old, errors);
  const struct = 'io.k8s.api.core.v1.EphemeralContainer';
  const now = new Map((pod.spec?.ephemeralContainers ?? []).map((c) => [c.name, c]));
  for (const before of old.spec?.ephemeralContainers ?? []) {
    const container = now.get(before.name);
    const quoted = JSON.stringify(before.name);
    if (container === undefined)
      errors.forbidden('spec.ephemeralContainers', `existing ephemeral containers ${quoted} may not be removed\n`);
    else if (!semanticEqual(struct, container, before)) {
      const diff = jsonDiff(goValue(struct, before), goValue(struct, container));
      errors.forbidden('spec.ephemeralContainers', `existing ephemeral containers ${quoted} may not be changed\n${diff}`);
    }
  }
}
