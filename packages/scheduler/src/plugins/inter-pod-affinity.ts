import type { ClusterEvent } from '../framework/cluster-event.ts';
import type { CycleContext, StateKey } from '../framework/cycle-context.ts';
import { nodesOf, podsOf } from '../framework/node-change.ts';
import type { NodeInfo } from '../framework/node-info.ts';
import { maxNodeScore, type SchedulerPlugin } from '../framework/plugin.ts';
import { createPodInfo, termMatches, type AffinityTerm, type PodInfo } from '../framework/pod-info.ts';
import { TopologyCounts } from '../framework/topology-counts.ts';
import { ok, skip, unresolvable, unschedulable } from '../framework/verdict.ts';

const affinityRejection = unresolvable("node(s) didn't match pod affinity rules");
const antiAffinityRejection = unschedulable("node(s) didn't match pod anti-affinity rules");
const existingRejection = unschedulable("node(s) didn't satisfy existing pods anti-affinity rules");

/** A pod's required affinity to pods that are there makes it a little dearer to their nodes in return. */
const requiredAffinityWeight = 1;

/** Where, by topology, there are pods that matter to the required terms of the incoming pod and of those that are there. */
class RequiredCounts {
  /** Pods that match all affinity terms of the incoming one. */
  readonly affinity: TopologyCounts;
  readonly antiAffinity: TopologyCounts;
  /** Pods whose anti-affinity is against the incoming one. */
  readonly existingAntiAffinity: TopologyCounts;

  constructor(affinity = new TopologyCounts(), antiAffinity = new TopologyCounts(), existingAntiAffinity = new TopologyCounts()) {
    this.affinity = affinity;
    this.antiAffinity = antiAffinity;
    this.existingAntiAffinity = existingAntiAffinity;
  }

  clone(): RequiredCounts {
    return new RequiredCounts(this.affinity.clone(), this.antiAffinity.clone(), this.existingAntiAffinity.clone());
  }

  /** `sign` -1: the pod goes. */
  count(incoming: PodInfo, other: PodInfo, node: NodeInfo, context: CycleContext, sign: 1 | -1): void {
    const { snapshot } = context;
    const addTo = (counts: TopologyCounts, term: AffinityTerm): void => {
      const value = node.labels[term.topologyKey];
      if (value !== undefined) counts.add(term.topologyKey, value, sign);
    };
    if (
      incoming.requiredAffinity.length > 0 &&
      incoming.requiredAffinity.every((t) => termMatches(t, other, snapshot.namespaceLabels(other.namespace)))
    ) {
      for (const term of incoming.requiredAffinity) addTo(this.affinity, term);
    }
    for (const term of incoming.requiredAntiAffinity) {
      if (termMatches(term, other, snapshot.namespaceLabels(other.namespace))) addTo(this.antiAffinity, term);
    }
    for (const term of other.requiredAntiAffinity) {
      if (termMatches(term, incoming, snapshot.namespaceLabels(incoming.namespace))) addTo(this.existingAntiAffinity, term);
    }
  }
}

const requiredCounts: StateKey<RequiredCounts> = { name: 'pods that matter to required pod affinity' };
const preferenceScores: StateKey<TopologyCounts> = { name: 'pod affinity preferences by topology' };

/** Near to some pods, away from others, by the labels of their nodes. */
export const interPodAffinity: SchedulerPlugin = {
  name: 'InterPodAffinity',
  requeueOn: [
    { resource: 'AssignedPod', actions: ['add', 'update-labels', 'delete'], helps: podChangeMayHelp },
    { resource: 'UnscheduledPod', actions: ['update-labels'], helps: (pod, event) => podsOf(event).after?.metadata?.uid === pod.uid },
    { resource: 'Node', actions: ['add', 'update-labels'], helps: nodeChangeMayHelp },
    { resource: 'Namespace', actions: ['update-labels'] },
  ],
  preFilter: (pod, context) => {
    const counts = new RequiredCounts();
    const hasRequired = pod.requiredAffinity.length + pod.requiredAntiAffinity.length > 0;
    for (const node of context.snapshot.nodes) {
      const others = hasRequired ? node.pods.values() : node.podsWithRequiredAntiAffinity;
      for (const other of others) counts.count(pod, other, node, context, 1);
    }
    if (!hasRequired && counts.existingAntiAffinity.isEmpty) return skip;
    context.write(requiredCounts, counts);
    return ok;
  },
  addPod: (pod, added, node, context) => context.read(requiredCounts)?.count(pod, added, node, context, 1),
  removePod: (pod, removed, node, context) => context.read(requiredCounts)?.count(pod, removed, node, context, -1),
  filter: (pod, node, context) => {
    const counts = context.require(requiredCounts);
    if (!isNearEnough(pod, node, counts, context)) return affinityRejection;
    const isHere = (term: AffinityTerm): boolean => {
      const value = node.labels[term.topologyKey];
      return value !== undefined && counts.antiAffinity.get(term.topologyKey, value) > 0;
    };
    if (pod.requiredAntiAffinity.some(isHere)) return antiAffinityRejection;
    for (const key of counts.existingAntiAffinity.keys()) {
      const value = node.labels[key];
      if (value !== undefined && counts.existingAntiAffinity.get(key, value) > 0) return existingRejection;
    }
    return ok;
  },
  preScore: (pod, _nodes, context) => {
    const scores = new TopologyCounts();
    const hasPreferences = pod.preferredAffinity.length + pod.preferredAntiAffinity.length > 0;
    for (const node of context.snapshot.nodes) {
      const others = hasPreferences ? node.pods.values() : node.podsWithAffinity;
      for (const other of others) addPreferences(scores, pod, other, node, context);
    }
    if (scores.isEmpty) return skip;
    context.write(preferenceScores, scores);
    return ok;
  },
  score: (_, node, context) => {
    const scores = context.require(preferenceScores);
    let score = 0;
    for (const key of scores.keys()) {
      const value = node.labels[key];
      if (value !== undefined) score += scores.get(key, value);
    }
    return score;
  },
  normalize: (scores) => {
    const min = Math.min(...scores);
    const range = Math.max(...scores) - min;
    for (let i = 0; i < scores.length; i++) scores[i] = range === 0 ? 0 : Math.trunc((maxNodeScore * ((scores[i] ?? 0) - min)) / range);
  },
};

/**
 * All of the pod's affinity terms have a match in the node's topology. The first of a group that wants to be together has nobody yet:
 * it may go anywhere that has the labels, provided that it matches its own terms.
 */
function isNearEnough(pod: PodInfo, node: NodeInfo, counts: RequiredCounts, context: CycleContext): boolean {
  const terms = pod.requiredAffinity;
  if (terms.some((term) => node.labels[term.topologyKey] === undefined)) return false;
  if (terms.every((term) => counts.affinity.get(term.topologyKey, node.labels[term.topologyKey] ?? '') > 0)) return true;
  return counts.affinity.isEmpty && terms.every((term) => termMatches(term, pod, context.snapshot.namespaceLabels(pod.namespace)));
}

function addPreferences(scores: TopologyCounts, pod: PodInfo, other: PodInfo, node: NodeInfo, context: CycleContext): void {
  const add = (terms: readonly AffinityTerm[], target: PodInfo, weightOf: (term: AffinityTerm) => number): void => {
    for (const term of terms) {
      const value = node.labels[term.topologyKey];
      if (value === undefined || !termMatches(term, target, context.snapshot.namespaceLabels(target.namespace))) continue;
      scores.add(term.topologyKey, value, weightOf(term));
    }
  };
  add(pod.preferredAffinity, other, (t) => t.weight);
  add(pod.preferredAntiAffinity, other, (t) => -t.weight);
  add(other.requiredAffinity, pod, () => requiredAffinityWeight);
  add(other.preferredAffinity, pod, (t) => t.weight);
  add(other.preferredAntiAffinity, pod, (t) => -t.weight);
}

/** A term with a namespaceSelector may match: labels of namespaces are not at hand here. */
const mayMatchAll = (terms: readonly AffinityTerm[], other: PodInfo): boolean =>
  terms.length > 0 &&
  terms.every((term) => (term.namespaceSelector !== undefined || term.namespaces.has(other.namespace)) && term.selector(other.labels));

function podChangeMayHelp(pod: PodInfo, event: ClusterEvent): boolean {
  const { before, after } = podsOf(event);
  const old = before && createPodInfo(before);
  const current = after && createPodInfo(after);
  const hasCome =
    current !== undefined && mayMatchAll(pod.requiredAffinity, current) && (old === undefined || !mayMatchAll(pod.requiredAffinity, old));
  if (hasCome || old === undefined) return hasCome;
  const isAgainst = (other: PodInfo): boolean =>
    pod.requiredAntiAffinity.some((t) => mayMatchAll([t], other)) || other.requiredAntiAffinity.some((t) => mayMatchAll([t], pod));
  return isAgainst(old) && (current === undefined || !isAgainst(current));
}

function nodeChangeMayHelp(pod: PodInfo, event: ClusterEvent): boolean {
  const { before, after } = nodesOf(event);
  if (before === undefined || after === undefined) return true;
  return [...pod.requiredAffinity, ...pod.requiredAntiAffinity].some((t) => before.labels[t.topologyKey] !== after.labels[t.topologyKey]);
}
