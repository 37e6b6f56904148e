import { selectsNode, type TopologySpreadConstraint } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { compileLabelSelector, type Labels } from './label-selector.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';
import { firstUntolerated } from './toleration.ts';

export interface SpreadConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  /** Which pods are counted. */
  readonly matches: (pod: PodInfo) => boolean;
  readonly honorsNodeAffinity: boolean;
  readonly honorsTaints: boolean;
}

/** The constraints of a pod with this `whenUnsatisfiable`. */
export const spreadConstraintsOf = (pod: PodInfo, whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway'): readonly SpreadConstraint[] =>
  (pod.pod.spec?.topologySpreadConstraints ?? []).filter((c) => c.whenUnsatisfiable === whenUnsatisfiable).map((c) => compile(c, pod));

function compile(constraint: DeepReadonly<TopologySpreadConstraint>, pod: PodInfo): SpreadConstraint {
  const selector = compileLabelSelector(constraint.labelSelector);
  const ownValues = (constraint.matchLabelKeys ?? []).flatMap((key) =>
    pod.labels[key] === undefined ? [] : [[key, pod.labels[key]] as const],
  );
  const isSelected = (labels: Labels): boolean => selector(labels) && ownValues.every(([key, value]) => labels[key] === value);
  // A selector that selects everything counts nothing: upstream takes it for a forgotten one.
  const isEmpty =
    Object.keys(constraint.labelSelector?.matchLabels ?? {}).length === 0 &&
    (constraint.labelSelector?.matchExpressions ?? []).length === 0;
  return {
    topologyKey: constraint.topologyKey,
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    matches: (other) =>
      other.namespace === pod.namespace && !(isEmpty && ownValues.length === 0 && other !== pod) && isSelected(other.labels),
    honorsNodeAffinity: constraint.nodeAffinityPolicy !== 'Ignore',
    honorsTaints: constraint.nodeTaintsPolicy === 'Honor',
  };
}

/** Whether a node is one of the domains that are compared: those that the pod can't go to by its own rules need not be filled. */
export const isCounted = (constraint: SpreadConstraint, { pod }: PodInfo, node: NodeInfo): boolean =>
  (!constraint.honorsNodeAffinity || selectsNode(pod.spec, node)) &&
  (!constraint.honorsTaints || firstUntolerated(pod.spec?.tolerations, node.taints) === undefined);

/** Pods on their way out don't count. */
export function countMatching(constraint: SpreadConstraint, node: NodeInfo): number {
  let count = 0;
  for (const pod of node.pods.values()) if (pod.pod.metadata?.deletionTimestamp === undefined && constraint.matches(pod)) count++;
  return count;
}

export const hasAllKeys = (constraints: readonly SpreadConstraint[], node: NodeInfo): boolean =>
  constraints.every((c) => node.labels[c.topologyKey] !== undefined);
