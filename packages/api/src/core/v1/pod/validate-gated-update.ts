import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type { NodeAffinity, NodeSelectorTerm, PodSpec } from '../../../generated/types/core-v1.ts';
import { deepEqual, semanticEqual } from '../../../semantic-equality.ts';
import { keepField } from '../../../spec-and-status.ts';

/**
 * KEP-3838: while a Pod is gated, where it may run can still be narrowed. What was narrowed rightly (or is reported here) is put back
 * in `draft`, so that the comparison of the whole spec does not see it.
 */
export function keepGatedSelection(draft: PodSpec, old: DeepReadonly<PodSpec>, errors: FieldErrors): void {
  if (!deepEqual(draft.nodeSelector ?? {}, old.nodeSelector ?? {})) {
    validateNodeSelector(draft.nodeSelector ?? {}, old.nodeSelector ?? {}, errors);
    keepField(draft, old, 'nodeSelector');
  }
  const before = old.affinity?.nodeAffinity;
  const now = draft.affinity?.nodeAffinity;
  if ((before === undefined) === (now === undefined) && semanticEqual('io.k8s.api.core.v1.NodeAffinity', now, before)) return;
  validateNodeAffinity(now, before, errors);
  const others = draft.affinity?.podAffinity !== undefined || draft.affinity?.podAntiAffinity !== undefined;
  if (old.affinity === undefined && !others) delete draft.affinity;
  else keepField((draft.affinity ??= {}), old.affinity ?? {}, 'nodeAffinity');
}

function validateNodeSelector(now: Readonly<Record<string, string>>, before: Readonly<Record<string, string>>, errors: FieldErrors): void {
  for (const [key, value] of Object.entries(before)) {
    if (now[key] === value) continue;
    errors.invalid('spec.nodeSelector', now, 'only additions to spec.nodeSelector are allowed (no mutations or deletions)');
    return;
  }
}

function validateNodeAffinity(
  now: DeepReadonly<NodeAffinity> | undefined,
  before: DeepReadonly<NodeAffinity> | undefined,
  errors: FieldErrors,
): void {
  const path = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution';
  const oldTerms = before?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  if (before?.requiredDuringSchedulingIgnoredDuringExecution === undefined) return;
  const terms = now?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  if (oldTerms.length > 0 && terms.length !== oldTerms.length) {
    return errors.invalid(`${path}.nodeSelectorTerms`, terms, 'no additions/deletions to non-empty NodeSelectorTerms list are allowed');
  }
  for (const [i, old] of oldTerms.entries()) {
    const term = terms[i];
    if (term !== undefined && onlyAdds(term, old)) continue;
    errors.invalid(`${path}.nodeSelectorTerms[${i}]`, term ?? {}, 'only additions are allowed (no mutations or deletions)');
  }
}

/** Terms are alternatives and expressions are conditions: more of the latter narrows. An empty term matches nothing and stays so. */
function onlyAdds(term: DeepReadonly<NodeSelectorTerm>, old: DeepReadonly<NodeSelectorTerm>): boolean {
  const oldExpressions = old.matchExpressions ?? [];
  const oldFields = old.matchFields ?? [];
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (oldExpressions.length === 0 && oldFields.length === 0 && (expressions.length > 0 || fields.length > 0)) return false;
  return oldExpressions.every((e, i) => deepEqual(e, expressions[i])) && oldFields.every((f, i) => deepEqual(f, fields[i]));
}
