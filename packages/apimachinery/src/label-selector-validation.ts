import type { FieldErrors } from './field-error.ts';
import { isQualifiedName, isValidLabelValue } from './name-validation.ts';
import type { DeepReadonly } from './object.ts';

interface LabelSelectorRequirement {
  key: string;
  operator: string;
  values?: string[];
}
interface LabelSelectorShape {
  matchLabels?: Record<string, string>;
  matchExpressions?: LabelSelectorRequirement[];
}

export interface LabelSelectorValidationOptions {
  /** Stored objects may carry values that today's rules refuse. */
  readonly allowInvalidLabelValueInSelector?: boolean;
  readonly allowUnknownOperatorInRequirement?: boolean;
}

export function validateLabelName(name: string, path: string, errors: FieldErrors): void {
  for (const complaint of isQualifiedName(name)) errors.invalid(path, name, complaint);
}

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: string, errors: FieldErrors): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    validateLabelName(key, path, errors);
    for (const complaint of isValidLabelValue(value)) errors.invalid(path, value, complaint);
  }
}

export const labelSelectorHasInvalidLabelValue = (selector: DeepReadonly<LabelSelectorShape> | null | undefined): boolean =>
  (selector?.matchExpressions ?? []).some((e) => (e.values ?? []).some((v) => isValidLabelValue(v).length > 0));

/** meta.k8s.io/v1 LabelSelector; an absent one is fine. */
export function validateLabelSelector(
  selector: DeepReadonly<LabelSelectorShape> | null | undefined,
  path: string,
  errors: FieldErrors,
  options: LabelSelectorValidationOptions = {},
): void {
  if (!selector) return;
  validateLabels(selector.matchLabels, `${path}.matchLabels`, errors);
  for (const [i, requirement] of (selector.matchExpressions ?? []).entries()) {
    validateRequirement(requirement, `${path}.matchExpressions[${i}]`, errors, options);
  }
}

function validateRequirement(
  requirement: DeepReadonly<LabelSelectorRequirement>,
  path: string,
  errors: FieldErrors,
  options: LabelSelectorValidationOptions,
): void {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) errors.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) errors.forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      break;
    default:
      if (!options.allowUnknownOperatorInRequirement) {
        errors.invalid(`${path}.operator`, requirement.operator ?? '', 'not a valid selector operator');
      }
  }
  validateLabelName(requirement.key ?? '', `${path}.key`, errors);
  if (options.allowInvalidLabelValueInSelector) return;
  for (const [i, value] of values.entries()) {
    for (const complaint of isValidLabelValue(value)) errors.invalid(`${path}.values[${i}]`, value, complaint);
  }
}
