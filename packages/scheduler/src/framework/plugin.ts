import type { RequeueHint } from './cluster-event.ts';
import type { CycleContext } from './cycle-context.ts';
import type { Diagnosis } from './diagnosis.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';
import type { Verdict } from './verdict.ts';

/** Only these nodes can be it. */
export interface NodeRestriction {
  readonly code: 'ok';
  readonly nodeNames: ReadonlySet<string>;
}

export interface PostFilterResult {
  /** Absent: leave the nomination as it is. Empty: take it back. */
  readonly nominatedNode?: string;
  /** Goes behind the reasons in the message. */
  readonly message?: string;
  /** What is to be done for it, without holding up other pods. */
  readonly act?: (signal: AbortSignal) => Promise<void>;
}

/**
 * A scheduler plugin: any of these methods, in the order in which a cycle calls them. Everything up to `reserve` is synchronous and
 * changes nothing but the cycle's context; scores are whole numbers, 0 to 100 after `normalize`.
 */
export interface SchedulerPlugin {
  readonly name: string;
  /** What may make a pod fit that this plugin has turned away. A plugin that can reject has at least one. */
  readonly requeueOn?: readonly RequeueHint[];

  /** Rejected: the pod does not even enter the queue. */
  preEnqueue?(pod: PodInfo): Verdict;
  preFilter?(pod: PodInfo, context: CycleContext): Verdict | NodeRestriction;
  /** For plugins whose preFilter computes from all pods: what if one more, or one less, were on a node? */
  addPod?(pod: PodInfo, added: PodInfo, node: NodeInfo, context: CycleContext): void;
  removePod?(pod: PodInfo, removed: PodInfo, node: NodeInfo, context: CycleContext): void;
  filter?(pod: PodInfo, node: NodeInfo, context: CycleContext): Verdict;
  /** No node fits: what can be done? The first plugin that nominates a node ends the search. */
  postFilter?(pod: PodInfo, diagnosis: Diagnosis, context: CycleContext): PostFilterResult;
  preScore?(pod: PodInfo, nodes: readonly NodeInfo[], context: CycleContext): Verdict;
  score?(pod: PodInfo, node: NodeInfo, context: CycleContext): number;
  /** Brings raw scores, in the order of `nodes`, to 0..100. */
  normalize?(scores: number[], nodes: readonly NodeInfo[], context: CycleContext): void;
  /** The node is chosen. Undone by `unreserve` when anything behind it fails. */
  reserve?(pod: PodInfo, nodeName: string, context: CycleContext): Verdict;
  unreserve?(pod: PodInfo, nodeName: string, context: CycleContext): void;
  /** Whether `preBind` will take its time. The pod then shows its node as nominated meanwhile (KEP-5278). */
  needsPreBind?(pod: PodInfo, nodeName: string, context: CycleContext): boolean;
  /** Slow work before the binding. A throw undoes the reservation and tries the pod again later. */
  preBind?(pod: PodInfo, nodeName: string, context: CycleContext, signal: AbortSignal): Promise<void>;
  bind?(pod: PodInfo, nodeName: string, signal: AbortSignal): Promise<void>;
}

export const maxNodeScore = 100;

/** Scales scores so that the highest is 100; `reverse` then turns them round. */
export function normalizeToMax(scores: number[], reverse: boolean): void {
  const highest = Math.max(0, ...scores);
  for (let i = 0; i < scores.length; i++) {
    const scaled = highest === 0 ? 0 : Math.trunc((maxNodeScore * (scores[i] ?? 0)) / highest);
    scores[i] = reverse ? maxNodeScore - scaled : scaled;
  }
}
