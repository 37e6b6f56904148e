import { labelSelectorMatcher as compileSelector, labelSetMatcher, type DeepReadonly, type LabelSelector } from '@skiff/apimachinery';

export type Labels = Readonly<Record<string, string>>;
export type LabelMatcher = (labels: Labels | undefined) => boolean;

const none: LabelMatcher = () => false;
/** Cached objects are never changed, so that a selector's identity stands for its content. */
const compiled = new WeakMap<object, LabelMatcher>();

function remember(key: object, make: () => { matches(labels: Labels): boolean }): LabelMatcher {
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const matcher = make();
  const matches: LabelMatcher = (labels) => matcher.matches(labels ?? {});
  compiled.set(key, matches);
  return matches;
}

/** What a metav1.LabelSelector selects: absent nothing, empty everything. */
export const labelSelectorMatcher = (selector: DeepReadonly<LabelSelector> | undefined): LabelMatcher =>
  selector === undefined ? none : remember(selector, () => compileSelector(selector));

/** What a plain map selects: every pair must be there. An empty or absent map selects nothing. */
export const mapMatcher = (map: Labels | undefined): LabelMatcher =>
  map === undefined || Object.keys(map).length === 0 ? none : remember(map, () => labelSetMatcher(map));

export const isEmptySelector = (selector: DeepReadonly<LabelSelector>): boolean =>
  Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0;
