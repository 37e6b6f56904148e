import type { DeepReadonly, LabelSelector } from '@skiff/apimachinery';

export type Labels = Readonly<Record<string, string>>;
export interface LabelRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}
export type LabelMatcher = (labels: Labels) => boolean;

const noLabels: Labels = {};
export const labelsOf = (object: { readonly metadata?: { readonly labels?: Labels } }): Labels => object.metadata?.labels ?? noLabels;

/** One requirement of a label selector. */
function requirementMatches({ key, operator, values = [] }: LabelRequirement, labels: Labels): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

/** metav1.LabelSelector: an absent one matches nothing, an empty one everything. */
export function compileLabelSelector(selector: DeepReadonly<LabelSelector> | undefined): LabelMatcher {
  if (selector === undefined) return () => false;
  const pairs = Object.entries(selector.matchLabels ?? {});
  const requirements = selector.matchExpressions ?? [];
  return (labels) => pairs.every(([key, value]) => labels[key] === value) && requirements.every((r) => requirementMatches(r, labels));
}
