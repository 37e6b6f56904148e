import type { ResourceAttributes } from '@skiff/api';
import {
  type FieldErrors,
  isValidLabelValue,
  newLabelRequirement,
  parseFieldSelector,
  parseLabelSelector,
  SelectorError,
  validateLabelName,
} from '@skiff/apimachinery';

type Selector = NonNullable<ResourceAttributes['fieldSelector']> | NonNullable<ResourceAttributes['labelSelector']>;
type Requirement = NonNullable<Selector['requirements']>[number];

/** A selector of a review as text, and what could not be understood: requirements only narrow, so the others still hold. */
export interface ReviewedSelector {
  readonly text: string | undefined;
  readonly ignored: 'all' | 'some' | 'none';
}

function gather(requirements: readonly Requirement[], term: (q: Requirement) => string | undefined): ReviewedSelector {
  const terms = requirements.map(term).filter((t) => t !== undefined);
  const ignored = terms.length === requirements.length ? 'none' : terms.length === 0 ? 'all' : 'some';
  return { text: terms.length === 0 ? undefined : terms.join(','), ignored };
}

/** `parse` throws SelectorError. */
function fromRaw(raw: string, parse: (text: string) => unknown): ReviewedSelector {
  try {
    parse(raw);
    return { text: raw, ignored: 'none' };
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    return { text: undefined, ignored: 'all' };
  }
}

const nothing: ReviewedSelector = { text: undefined, ignored: 'none' };
const escaped = (value: string): string => value.replace(/[\\,=]/g, '\\$&');

export function fieldSelectorOf(selector: Selector | undefined): ReviewedSelector {
  if (selector === undefined) return nothing;
  if ((selector.rawSelector ?? '') !== '') return fromRaw(selector.rawSelector ?? '', parseFieldSelector);
  return gather(selector.requirements ?? [], (q) => {
    const [value, ...others] = q.values ?? [];
    if (value === undefined || others.length > 0) return undefined;
    return q.operator === 'In' ? `${q.key}=${escaped(value)}` : q.operator === 'NotIn' ? `${q.key}!=${escaped(value)}` : undefined;
  });
}

export function labelSelectorOf(selector: Selector | undefined): ReviewedSelector {
  if (selector === undefined) return nothing;
  if ((selector.rawSelector ?? '') !== '') return fromRaw(selector.rawSelector ?? '', parseLabelSelector);
  return gather(selector.requirements ?? [], (q) => {
    const values = q.values ?? [];
    try {
      switch (q.operator) {
        case 'In':
        case 'NotIn':
          newLabelRequirement(q.key, q.operator === 'In' ? 'in' : 'notin', values);
          return `${q.key} ${q.operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
        case 'Exists':
        case 'DoesNotExist':
          newLabelRequirement(q.key, q.operator === 'Exists' ? 'exists' : '!', values);
          return q.operator === 'Exists' ? q.key : `!${q.key}`;
        default:
          return undefined;
      }
    } catch (error) {
      if (error instanceof SelectorError) return undefined;
      throw error;
    }
  });
}

/** What the API says of selectors in reviews; operators of tomorrow are let through. */
export function validateSelectors(attributes: ResourceAttributes | undefined, errors: FieldErrors): void {
  for (const field of ['fieldSelector', 'labelSelector'] as const) {
    const selector = attributes?.[field];
    if (selector === undefined) continue;
    const path = `spec.resourceAttributes.${field}`;
    const [raw, requirements] = [selector.rawSelector ?? '', selector.requirements ?? []];
    if (raw !== '' && requirements.length > 0)
      errors.invalid(`${path}.rawSelector`, raw, 'may not specified at the same time as requirements');
    if (raw === '' && requirements.length === 0)
      errors.required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`);
    for (const [i, q] of requirements.entries()) {
      const at = `${path}.requirements[${i}]`;
      const values = q.values ?? [];
      if ((q.operator === 'In' || q.operator === 'NotIn') && values.length === 0)
        errors.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
      if ((q.operator === 'Exists' || q.operator === 'DoesNotExist') && values.length > 0)
        errors.forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      if (field === 'fieldSelector') {
        if (q.key === '') errors.required(`${at}.key`, 'must be specified');
        continue;
      }
      validateLabelName(q.key, `${at}.key`, errors);
      for (const [j, value] of values.entries())
        for (const complaint of isValidLabelValue(value)) errors.invalid(`${at}.values[${j}]`, value, complaint);
    }
  }
}
