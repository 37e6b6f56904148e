import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type { Pod } from '../../../generated/types/core-v1.ts';
import { validatePodAnnotations, validateProfileAnnotations } from './validate-annotations.ts';
import { validateImageWhitespace } from './validate-container.ts';
import { validatePodSpec } from './validate-pod-spec.ts';
import { type PodValidationOptions, podValidationOptions } from './validation-options.ts';

/** What create and update have in common. Metadata itself is checked by the registry. */
export function validatePodBody(pod: DeepReadonly<Pod>, errors: FieldErrors, options: PodValidationOptions): void {
  const spec = pod.spec ?? { containers: [] };
  validatePodAnnotations(pod, errors);
  validatePodSpec(spec, 'spec', errors, options);
  if (!spec.serviceAccountName) {
    for (const [i, volume] of (spec.volumes ?? []).entries()) {
      for (const [j, source] of (volume.projected?.sources ?? []).entries()) {
        if (source.serviceAccountToken === undefined) continue;
        const path = `spec.volumes[${i}].projected.sources[${j}].serviceAccountToken`;
        errors.forbidden(path, 'must not be specified when serviceAccountName is not set');
      }
    }
  }
  for (const field of ['containers', 'initContainers'] as const) {
    for (const [i, container] of (spec[field] ?? []).entries()) validateImageWhitespace(container, `spec.${field}[${i}]`, errors);
  }
}

export function validatePodCreate(pod: DeepReadonly<Pod>, errors: FieldErrors): void {
  validatePodBody(pod, errors, podValidationOptions(undefined, { meta: pod.metadata }));
  const { spec } = pod;
  if ((spec?.ephemeralContainers ?? []).length > 0) errors.forbidden('spec.ephemeralContainers', 'cannot be set on create');
  if (spec?.nodeName && (spec.schedulingGates ?? []).length > 0) {
    errors.forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared');
  }
  validateProfileAnnotations(pod, errors);
}
