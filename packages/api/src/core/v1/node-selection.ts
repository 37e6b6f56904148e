import type { DeepReadonly } from '@skiff/apimachinery';
import type { NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from '../../generated/index.ts';

/** What a node is selected by. */
export interface SelectableNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

const wholeNumber = /^[-+]?\d+$/;

function holds({ key, operator, values = [] }: DeepReadonly<NodeSelectorRequirement>, of: Readonly<Record<string, string>>): boolean {
  const value = of[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const limit = values[0];
      // Whole numbers only; what is none matches nothing.
      if (value === undefined || limit === undefined || !wholeNumber.test(value) || !wholeNumber.test(limit)) return false;
      return operator === 'Gt' ? BigInt(value) > BigInt(limit) : BigInt(value) < BigInt(limit);
    }
    default:
      return false;
  }
}

/** All of a term's requirements must hold; a term without any holds nowhere. `matchFields` knows metadata.name only. */
export function nodeTermMatches(term: DeepReadonly<NodeSelectorTerm>, node: SelectableNode): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  return expressions.every((r) => holds(r, node.labels)) && fields.every((r) => holds(r, { 'metadata.name': node.name }));
}

/** spec.nodeSelector and required node affinity ("Assigning Pods to Nodes"): both must hold. */
export function selectsNode(spec: DeepReadonly<Partial<PodSpec>> | undefined, node: SelectableNode): boolean {
  const { nodeSelector, affinity } = spec ?? {};
  for (const key in nodeSelector) if (node.labels[key] !== nodeSelector[key]) return false;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => nodeTermMatches(term, node));
}
