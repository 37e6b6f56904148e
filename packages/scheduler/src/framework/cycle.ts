import { CycleContext } from './cycle-context.ts';
import { newDiagnosis, type Diagnosis } from './diagnosis.ts';
import type { NodeInfo } from './node-info.ts';
import type { SchedulerPlugin } from './plugin.ts';
import type { PodInfo } from './pod-info.ts';
import type { Profile } from './profile.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import { isRejection, type Rejection, unresolvable } from './verdict.ts';

export interface CycleOptions {
  /** Where in the list of nodes to begin, so that over many pods every node has its turn. */
  readonly startIndex: number;
  /** In [0, 1): breaks ties. */
  readonly random: () => number;
  /** Share of the nodes, in percent, that is enough to choose from; 0 = fewer the more there are. */
  readonly percentageOfNodesToScore?: number;
}

export type CycleResult = {
  readonly context: CycleContext;
  /** Nodes that were looked at. */
  readonly evaluatedNodes: number;
} & (
  | { readonly outcome: 'placed'; readonly nodeName: string; readonly feasibleNodes: number }
  | { readonly outcome: 'rejected'; readonly diagnosis: Diagnosis }
);

/** Below this many nodes all are looked at. */
const minFeasibleNodes = 100;
const minPercentage = 5;

export function feasibleNodesToFind(nodeCount: number, percentageOfNodesToScore = 0): number {
  if (nodeCount < minFeasibleNodes) return nodeCount;
  const percentage = percentageOfNodesToScore || Math.max(50 - Math.trunc(nodeCount / 125), minPercentage);
  return Math.max(Math.trunc((nodeCount * percentage) / 100), minFeasibleNodes);
}

/** Finds the best node for a pod: a function of what it is given, without waiting and without effect. */
export function runCycle(pod: PodInfo, snapshot: ClusterSnapshot, profile: Profile, o: CycleOptions): CycleResult {
  const context = new CycleContext(snapshot);
  const diagnosis = newDiagnosis(snapshot.nodes.length);
  const candidates = runPreFilters(pod, profile, context, diagnosis);
  if (candidates === undefined) return { outcome: 'rejected', diagnosis, context, evaluatedNodes: 0 };
  const filters = profile.filter.filter((p) => !context.skippedFilters.has(p.name));
  const { feasible, evaluatedNodes } = findFeasible(pod, candidates, { profile, filters, context, diagnosis, o });
  if (feasible.length === 0) return { outcome: 'rejected', diagnosis, context, evaluatedNodes };
  const node = feasible.length === 1 ? (feasible[0] as NodeInfo) : pickBest(pod, feasible, profile, context, o.random);
  return { outcome: 'placed', nodeName: node.name, feasibleNodes: feasible.length, context, evaluatedNodes };
}

/** The nodes that come into question, or undefined when none can. */
function runPreFilters(pod: PodInfo, profile: Profile, context: CycleContext, diagnosis: Diagnosis): readonly NodeInfo[] | undefined {
  const { snapshot } = context;
  let names: ReadonlySet<string> | undefined;
  const restrictedBy: string[] = [];
  for (const plugin of profile.preFilter) {
    const verdict = plugin.preFilter(pod, context);
    if (verdict.code === 'skip') context.skippedFilters.add(plugin.name);
    else if (isRejection(verdict)) {
      diagnosis.rejectedBy.add(plugin.name);
      diagnosis.absent = verdict;
      diagnosis.preFilterMessage = verdict.reasons.map((r) => r.text).join(', ');
      return undefined;
    } else if ('nodeNames' in verdict) {
      const known: ReadonlySet<string> | undefined = names;
      names = known === undefined ? verdict.nodeNames : new Set([...verdict.nodeNames].filter((name) => known.has(name)));
      restrictedBy.push(plugin.name);
      if (names.size === 0) {
        const text = `node(s) didn't satisfy plugin(s) [${restrictedBy.sort().join(' ')}] simultaneously`;
        for (const name of restrictedBy) diagnosis.rejectedBy.add(name);
        diagnosis.absent = unresolvable(text);
        diagnosis.preFilterMessage = text;
        return undefined;
      }
    }
  }
  if (names === undefined) return snapshot.nodes;
  for (const name of restrictedBy) diagnosis.rejectedBy.add(name);
  diagnosis.absent = unresolvable(`node(s) didn't satisfy plugin(s) [${restrictedBy.sort().join(' ')}]`);
  return [...names].flatMap((name) => snapshot.node(name) ?? []).filter((node) => node.node !== undefined);
}

interface Search {
  readonly profile: Profile;
  readonly filters: Profile['filter'];
  readonly context: CycleContext;
  readonly diagnosis: Diagnosis;
  readonly o: CycleOptions;
}

function findFeasible(pod: PodInfo, candidates: readonly NodeInfo[], search: Search): { feasible: NodeInfo[]; evaluatedNodes: number } {
  const { diagnosis, profile, filters, context, o } = search;
  const nominated = pod.pod.status?.nominatedNodeName;
  if (nominated) {
    const node = candidates.find((n) => n.name === nominated);
    if (node !== undefined && runFilters(pod, node, profile, filters, context) === undefined)
      return { feasible: [node], evaluatedNodes: 1 };
  }
  const wanted = feasibleNodesToFind(candidates.length, o.percentageOfNodesToScore);
  const feasible: NodeInfo[] = [];
  let evaluatedNodes = 0;
  for (let i = 0; i < candidates.length && feasible.length < wanted; i++) {
    const node = candidates[(o.startIndex + i) % candidates.length] as NodeInfo;
    evaluatedNodes++;
    const rejection = runFilters(pod, node, profile, filters, context);
    if (rejection === undefined) feasible.push(node);
    else {
      diagnosis.rejections.set(node.name, rejection);
      diagnosis.rejectedBy.add(rejection.plugin);
    }
  }
  return { feasible, evaluatedNodes };
}

/**
 * The first rejection, or undefined when the pod fits. Pods of the same or higher priority that are promised this node count as on it;
 * and it must fit without them too, since they may never come and a pod may need not to be alone (affinity).
 */
export function runFilters(
  pod: PodInfo,
  node: NodeInfo,
  profile: Profile,
  filters: Profile['filter'],
  context: CycleContext,
): (Rejection & { readonly plugin: string }) | undefined {
  const promised = context.snapshot.nominatedPods(node.name).filter((p) => p.priority >= pod.priority && p.uid !== pod.uid);
  if (promised.length > 0) {
    const trialNode = node.clone();
    const trialContext = context.clone();
    for (const other of promised) {
      trialNode.addPod(other);
      for (const plugin of profile.addPod) if (!context.skippedFilters.has(plugin.name)) plugin.addPod(pod, other, trialNode, trialContext);
    }
    const rejection = firstRejection(pod, trialNode, filters, trialContext);
    if (rejection !== undefined) return rejection;
  }
  return firstRejection(pod, node, filters, context);
}

function firstRejection(
  pod: PodInfo,
  node: NodeInfo,
  filters: Profile['filter'],
  context: CycleContext,
): (Rejection & { readonly plugin: string }) | undefined {
  for (const plugin of filters) {
    const verdict = plugin.filter(pod, node, context);
    if (isRejection(verdict)) return { ...verdict, plugin: plugin.name };
  }
  return undefined;
}

function pickBest(pod: PodInfo, nodes: readonly NodeInfo[], profile: Profile, context: CycleContext, random: () => number): NodeInfo {
  for (const plugin of profile.preScore) if (plugin.preScore(pod, nodes, context).code === 'skip') context.skippedScores.add(plugin.name);
  const totals = nodes.map(() => 0);
  for (const { plugin, weight } of profile.score) {
    if (context.skippedScores.has(plugin.name)) continue;
    const scores = nodes.map((node) => plugin.score(pod, node, context));
    (plugin as SchedulerPlugin).normalize?.(scores, nodes, context);
    for (let i = 0; i < totals.length; i++) totals[i] = (totals[i] ?? 0) + weight * (scores[i] ?? 0);
  }
  let best = 0;
  let ties = 1;
  for (let i = 1; i < nodes.length; i++) {
    const difference = (totals[i] ?? 0) - (totals[best] ?? 0);
    if (difference > 0) {
      best = i;
      ties = 1;
    } else if (difference === 0 && random() < 1 / ++ties) best = i;
  }
  return nodes[best] as NodeInfo;
}
