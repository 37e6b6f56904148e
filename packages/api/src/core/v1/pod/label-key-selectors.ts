import type { LabelSelector } from '@skiff/apimachinery';
import type { Pod, PodAffinityTerm } from '../../../generated/types/core-v1.ts';

/**
 * KEP-3633 and KEP-3243: `matchLabelKeys` and `mismatchLabelKeys` are resolved once, at creation, by adding the Pod's own label
 * values to the term's selector. A term without a selector matches nothing and stays so.
 */
export function mergeLabelKeys(pod: Pod): void {
  const labels = pod.metadata?.labels ?? {};
  const affinity = pod.spec?.affinity;
  for (const group of [affinity?.podAffinity, affinity?.podAntiAffinity]) {
    for (const term of group?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      if (term.podAffinityTerm) mergeTerm(term.podAffinityTerm, labels);
    }
    for (const term of group?.requiredDuringSchedulingIgnoredDuringExecution ?? []) mergeTerm(term, labels);
  }
  for (const constraint of pod.spec?.topologySpreadConstraints ?? []) {
    if (constraint.labelSelector) addRequirements(constraint.labelSelector, constraint.matchLabelKeys, 'In', labels);
  }
}

function mergeTerm(term: PodAffinityTerm, labels: Readonly<Record<string, string>>): void {
  if (!term.labelSelector) return;
  addRequirements(term.labelSelector, term.matchLabelKeys, 'In', labels);
  addRequirements(term.labelSelector, term.mismatchLabelKeys, 'NotIn', labels);
}

function addRequirements(
  selector: LabelSelector,
  keys: readonly string[] | undefined,
  operator: 'In' | 'NotIn',
  labels: Readonly<Record<string, string>>,
): void {
  for (const key of keys ?? []) {
    const value = labels[key];
    if (value !== undefined) (selector.matchExpressions ??= []).push({ key, operator, values: [value] });
  }
}
