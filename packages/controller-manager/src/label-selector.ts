import type { DeepReadonly, LabelSelector } from '@skiff/apimachinery';

export type Labels = Readonly<Record<string, string>>;
export type LabelMatcher = (labels: Labels | undefined) => boolean;

const none: LabelMatcher = () => false;

/**
 * What a metav1.LabelSelector selects: absent nothing, empty everything. Throws on an operator that is not one; the
 * apiserver lets none through.
 */
export function labelSelectorMatcher(selector: DeepReadonly<LabelSelector> | undefined): LabelMatcher {
  if (selector === undefined) return none;
  const tests: ((labels: Labels) => boolean)[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => (labels) => labels[key] === value);
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const has = (labels: Labels): boolean => labels[key] !== undefined && values.includes(labels[key]);
    switch (operator) {
      case 'In':
        tests.push(has);
        break;
      case 'NotIn':
        tests.push((labels) => !has(labels));
        break;
      case 'Exists':
        tests.push((labels) => labels[key] !== undefined);
        break;
      case 'DoesNotExist':
        tests.push((labels) => labels[key] === undefined);
        break;
      default:
        throw new Error(`"${operator}" is not a valid label selector operator`);
    }
  }
  return (labels) => tests.every((test) => test(labels ?? {}));
}

/** What a plain map selects: every pair must be there. An empty or absent map selects nothing. */
export function mapMatcher(map: Labels | undefined): LabelMatcher {
  const pairs = Object.entries(map ?? {});
  if (pairs.length === 0) return none;
  return (labels) => pairs.every(([key, value]) => labels?.[key] === value);
}

export const isEmptySelector = (selector: DeepReadonly<LabelSelector>): boolean =>
  Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0;
