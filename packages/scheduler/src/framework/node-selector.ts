import type { NodeSelectorTerm } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { requirementMatches } from './label-selector.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodView } from './pod-info.ts';

/** All of a term's requirements must hold; a term without any holds nowhere. `matchFields` knows metadata.name only. */
export function termMatchesNode(term: DeepReadonly<NodeSelectorTerm>, node: NodeInfo): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  return (
    expressions.every((r) => requirementMatches(r, node.labels)) &&
    fields.every((r) => requirementMatches(r, { 'metadata.name': node.name }))
  );
}

/** spec.nodeSelector and required node affinity: both must hold. */
export function matchesRequiredNodes(pod: PodView, node: NodeInfo): boolean {
  const { nodeSelector, affinity } = pod.spec ?? {};
  for (const key in nodeSelector) if (node.labels[key] !== nodeSelector[key]) return false;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => termMatchesNode(term, node));
}
