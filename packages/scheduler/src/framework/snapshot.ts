import type { Labels } from './label-selector.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/**
 * The cluster as one scheduling cycle sees it. A cycle is synchronous, so this may be the live state: nothing can change it before the
 * cycle has ended.
 */
export interface ClusterSnapshot {
  /** Nodes that are there, zones taking turns. */
  readonly nodes: readonly NodeInfo[];
  node(name: string): NodeInfo | undefined;
  /** On how many nodes an image is. */
  nodesWithImage(name: string): number;
  namespaceLabels(namespace: string): Labels;
  /** Pods that are promised a node but not on it yet, after a preemption. */
  nominatedPods(nodeName: string): readonly PodInfo[];
}
