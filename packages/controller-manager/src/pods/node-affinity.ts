import type { Node, NodeSelectorRequirement, PodSpec } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

type Requirement = DeepReadonly<NodeSelectorRequirement>;

function holds(requirement: Requirement, value: string | undefined): boolean {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
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
      if (value === undefined || !/^-?\d+$/.test(value)) return false;
      const [actual, limit] = [BigInt(value), BigInt(values[0] ?? '0')];
      return requirement.operator === 'Gt' ? actual > limit : actual < limit;
    }
    default:
      return false;
  }
}

/** Whether a pod's node selector and required node affinity let it run on the node. */
export function fitsNode(spec: DeepReadonly<PodSpec>, node: DeepReadonly<Node>): boolean {
  const labels = node.metadata?.labels ?? {};
  if (Object.entries(spec.nodeSelector ?? {}).some(([key, value]) => labels[key] !== value)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required === undefined) return true;
  return required.nodeSelectorTerms.some((term) => {
    const [expressions, fields] = [term.matchExpressions ?? [], term.matchFields ?? []];
    // A term without requirements selects nothing.
    if (expressions.length + fields.length === 0) return false;
    return (
      expressions.every((r) => holds(r, labels[r.key])) &&
      fields.every((r) => holds(r, r.key === 'metadata.name' ? node.metadata?.name : undefined))
    );
  });
}
