import type { Pod } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { ClusterEvent, EventAction } from './cluster-event.ts';
import { NodeInfo, type NodeView } from './node-info.ts';
import type { PodView } from './pod-info.ts';
import { computePodRequests } from './resources.ts';

const noNodes = { before: undefined, after: undefined };
export const nodesOf = (event: ClusterEvent): NonNullable<ClusterEvent['nodes']> => event.nodes ?? noNodes;

export const nodeEvent = (actions: readonly EventAction[], before: NodeView | undefined, after: NodeView | undefined): ClusterEvent => ({
  resource: 'Node',
  actions,
  ...(before && { old: before }),
  ...(after && { new: after }),
  nodes: { before: toInfo(before), after: toInfo(after) },
});

function toInfo(node: NodeView | undefined): NodeInfo | undefined {
  if (node === undefined) return undefined;
  const info = new NodeInfo(node.metadata?.name ?? '');
  info.setNode(node);
  return info;
}

export const podsOf = (event: ClusterEvent): { before: DeepReadonly<Pod> | undefined; after: DeepReadonly<Pod> | undefined } => ({
  before: event.old as DeepReadonly<Pod> | undefined,
  after: event.new as DeepReadonly<Pod> | undefined,
});

const differs = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) !== JSON.stringify(b ?? null);

/** What changed on a node, as far as scheduling goes. Heartbeats are nothing. */
export function nodeChanges(before: NodeView, after: NodeView): EventAction[] {
  const actions: EventAction[] = [];
  if (differs(before.metadata?.labels, after.metadata?.labels)) actions.push('update-labels');
  if (differs(before.spec?.taints, after.spec?.taints) || (before.spec?.unschedulable ?? false) !== (after.spec?.unschedulable ?? false))
    actions.push('update-taints');
  if (differs(before.status?.allocatable, after.status?.allocatable)) actions.push('update-allocatable');
  const conditions = (node: NodeView): unknown => node.status?.conditions?.map((c) => [c.type, c.status]);
  if (differs(conditions(before), conditions(after))) actions.push('update-conditions');
  return actions;
}

/** What changed on a pod that waits, as far as scheduling goes. */
export function podChanges(before: PodView, after: PodView): EventAction[] {
  const actions: EventAction[] = ['update'];
  if (differs(before.metadata?.labels, after.metadata?.labels)) actions.push('update-labels');
  if (differs(before.spec?.tolerations, after.spec?.tolerations)) actions.push('update-tolerations');
  if ((before.spec?.schedulingGates?.length ?? 0) > 0 && (after.spec?.schedulingGates?.length ?? 0) === 0) actions.push('gates-eliminated');
  if (differs(requests(before), requests(after))) actions.push('update-requests');
  return actions;
}

const requests = (pod: PodView): unknown => {
  const { scalar, ...plain } = computePodRequests(pod);
  return [plain, [...scalar]];
};
