import type { Node } from '../../generated/types/core-v1.ts';
import { roundResources } from './resource-list.ts';

/** Allocatable is the capacity until a kubelet says otherwise; `podCIDR` and the first of `podCIDRs` are the same. */
export function defaultNode(node: Node): void {
  if (node.status?.capacity && !node.status.allocatable) node.status.allocatable = { ...node.status.capacity };
  roundResources(node.status?.capacity);
  roundResources(node.status?.allocatable);
  const spec = node.spec;
  if (spec === undefined) return;
  const first = spec.podCIDRs?.[0];
  if (spec.podCIDR && first !== spec.podCIDR) spec.podCIDRs = [spec.podCIDR];
  else if (first) spec.podCIDR = first;
}
