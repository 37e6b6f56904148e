import {
  type DeepReadonly,
  type FieldErrors,
  type LabelSelector,
  labelSelectorMatcher,
  validateAnnotations,
  validateLabels,
  validateLabelSelector,
} from '@skiff/apimachinery';
import type { PodTemplateSpec } from '../../generated/types/core-v1.ts';
import { sortedMap } from '../../sorted-map.ts';
import { validatePodAnnotations, validateProfileAnnotations } from './pod/validate-annotations.ts';
import { validatePodSpec } from './pod/validate-pod-spec.ts';
import { podValidationOptions } from './pod/validation-options.ts';
import { podWarnings } from './pod/warnings.ts';

type Template = DeepReadonly<PodTemplateSpec>;

/** What Pods will be made from. `old`: the stored template, whose outdated parts stay acceptable. */
export function validatePodTemplate(template: Template, path: string, errors: FieldErrors, old?: Template): void {
  validateLabels(template.metadata?.labels, `${path}.labels`, errors);
  validateAnnotations(template.metadata?.annotations, `${path}.annotations`, errors);
  validatePodAnnotations(template, errors, `${path}.annotations`);
  const spec = template.spec ?? { containers: [] };
  validatePodSpec(spec, `${path}.spec`, errors, podValidationOptions(old?.spec));
  validateProfileAnnotations(template, errors, `${path}.spec`);
  if ((spec.ephemeralContainers ?? []).length > 0) {
    errors.forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template');
  }
}

/** Pods of a controller that keeps a number of them up: they restart for ever. */
export function validateAlwaysRunning(template: Template, path: string, kind: string, errors: FieldErrors): void {
  const restartPolicy = template.spec?.restartPolicy ?? '';
  if (restartPolicy !== 'Always') errors.notSupported(`${path}.spec.restartPolicy`, restartPolicy, ['Always']);
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    errors.forbidden(`${path}.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`);
  }
}

export const templateWarnings = (template: Template | undefined, path = 'spec.template.'): string[] =>
  template === undefined ? [] : podWarnings(template, path);

export interface SelectorRules {
  readonly path: string;
  /** In "empty selector is invalid for …". */
  readonly kind: string;
}

/** A workload's selector: there, not empty and well-formed. */
export function validateWorkloadSelector(
  selector: DeepReadonly<LabelSelector> | null | undefined,
  { path, kind }: SelectorRules,
  errors: FieldErrors,
): void {
  if (!selector) return errors.required(path);
  validateLabelSelector(selector, path, errors);
  if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0) {
    errors.invalid(path, selector, `empty selector is invalid for ${kind}`);
  }
}

/** Whether the Pods made from the template would be found; undefined when the selector itself is broken. */
export function selectorMatches(selector: DeepReadonly<LabelSelector> | null | undefined, template: Template): boolean | undefined {
  try {
    const matcher = labelSelectorMatcher(selector ?? undefined);
    return matcher.empty || matcher.matches(template.metadata?.labels ?? {});
  } catch {
    return undefined;
  }
}

export function mustMatchTemplate(template: Template, path: string, errors: FieldErrors): void {
  errors.invalid(`${path}.metadata.labels`, sortedMap(template.metadata?.labels), '`selector` does not match template `labels`');
}
