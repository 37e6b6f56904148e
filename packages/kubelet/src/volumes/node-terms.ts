import type { Node, NodeSelectorTerm } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

type Term = DeepReadonly<NodeSelectorTerm>;
type Expression = NonNullable<Term['matchExpressions']>[number];

function holds({ key, operator, values = [] }: Expression, labels: Readonly<Record<string, string>>): boolean {
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
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

/** Whether a node is one of those that a volume can be used on: one of the terms holds, and an empty term never does. */
export function matchesNodeTerms(terms: readonly Term[], node: DeepReadonly<Node>): boolean {
  const labels = node.metadata?.labels ?? {};
  const fields = { 'metadata.name': node.metadata?.name ?? '' };
  return terms.some((term) => {
    const expressions = term.matchExpressions ?? [];
    const byField = term.matchFields ?? [];
    if (expressions.length + byField.length === 0) return false;
    return expressions.every((e) => holds(e, labels)) && byField.every((e) => holds(e, fields));
  });
}
