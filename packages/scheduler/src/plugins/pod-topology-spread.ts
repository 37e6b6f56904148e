import type { CycleContext, StateKey } from '../framework/cycle-context.ts';
import { nodesOf, podsOf } from '../framework/node-change.ts';
import type { NodeInfo } from '../framework/node-info.ts';
import { maxNodeScore, type SchedulerPlugin } from '../framework/plugin.ts';
import { createPodInfo, type PodInfo } from '../framework/pod-info.ts';
import { countMatching, hasAllKeys, isCounted, spreadConstraintsOf, type SpreadConstraint } from '../framework/spread-constraint.ts';
import { ok, skip, unresolvable, unschedulable } from '../framework/verdict.ts';

const hostname = 'kubernetes.io/hostname';
const skewRejection = unschedulable("node(s) didn't match pod topology spread constraints");
const labelRejection = unresolvable("node(s) didn't match pod topology spread constraints (missing required label)");

interface Domains {
  readonly constraint: SpreadConstraint;
  /** Topology value → how many pods match there. */
  readonly counts: Map<string, number>;
}

class HardDomains {
  readonly all: readonly Domains[];
  constructor(all: readonly Domains[]) {
    this.all = all;
  }
  clone(): HardDomains {
    return new HardDomains(this.all.map(({ constraint, counts }) => ({ constraint, counts: new Map(counts) })));
  }
}

interface SoftDomains {
  readonly domains: readonly (Domains & { readonly weight: number })[];
  /** Nodes without all the labels: they get no points. */
  readonly ignored: ReadonlySet<string>;
}

const hardDomains: StateKey<HardDomains> = { name: 'domains of hard spread constraints' };
const softDomains: StateKey<SoftDomains> = { name: 'domains of soft spread constraints' };

export interface PodTopologySpreadDependencies {
  /** Which pods belong together with this one, for pods that say nothing about spreading; undefined = none. */
  readonly siblingsOf: (pod: PodInfo) => ((other: PodInfo) => boolean) | undefined;
}

/** Spreads pods over zones, hosts or whatever labels tell nodes apart: as a must (DoNotSchedule) and as a wish (ScheduleAnyway). */
export const createPodTopologySpread = ({ siblingsOf }: PodTopologySpreadDependencies): SchedulerPlugin => ({
  name: 'PodTopologySpread',
  requeueOn: [
    {
      resource: 'AssignedPod',
      actions: ['add', 'update-labels', 'delete'],
      helps: (pod, event) => {
        const { before, after } = podsOf(event);
        const sides = [before, after].flatMap((side) => (side === undefined ? [] : [createPodInfo(side)]));
        return spreadConstraintsOf(pod, 'DoNotSchedule').some((c) => sides.some((side) => c.matches(side)));
      },
    },
    {
      resource: 'UnscheduledPod',
      actions: ['update-labels', 'update-tolerations'],
      helps: (pod, event) => podsOf(event).after?.metadata?.uid === pod.uid,
    },
    {
      resource: 'Node',
      actions: ['add', 'delete', 'update-labels', 'update-taints'],
      helps: (pod, event) => {
        const constraints = spreadConstraintsOf(pod, 'DoNotSchedule');
        const { before, after } = nodesOf(event);
        return [before, after].some((node) => node !== undefined && hasAllKeys(constraints, node));
      },
    },
  ],
  preFilter: (pod, context) => {
    const constraints = spreadConstraintsOf(pod, 'DoNotSchedule');
    if (constraints.length === 0) return skip;
    const all = constraints.map((constraint) => ({ constraint, counts: new Map<string, number>() }));
    for (const node of context.snapshot.nodes) {
      if (!hasAllKeys(constraints, node)) continue;
      for (const { constraint, counts } of all) {
        if (isCounted(constraint, pod, node)) addTo(counts, node.labels[constraint.topologyKey] ?? '', countMatching(constraint, node));
      }
    }
    context.write(hardDomains, new HardDomains(all));
    return ok;
  },
  addPod: (pod, added, node, context) => shift(pod, added, node, context, 1),
  removePod: (pod, removed, node, context) => shift(pod, removed, node, context, -1),
  filter: (pod, node, context) => {
    for (const { constraint, counts } of context.require(hardDomains).all) {
      const value = node.labels[constraint.topologyKey];
      if (value === undefined) return labelRejection;
      // With fewer domains than wanted, a domain that is still to come counts as one without pods.
      const fewest = counts.size < constraint.minDomains ? 0 : Math.min(...counts.values());
      const skew = (counts.get(value) ?? 0) + (constraint.matches(pod) ? 1 : 0) - fewest;
      if (skew > constraint.maxSkew)
        return {
          ...skewRejection,
          reasons: [{ text: skewRejection.reasons[0]?.text ?? '', numbers: { skew, maxSkew: constraint.maxSkew } }],
        };
    }
    return ok;
  },
  preScore: (pod, nodes, context) => {
    const hasOwn = (pod.pod.spec?.topologySpreadConstraints?.length ?? 0) > 0;
    const constraints = hasOwn ? spreadConstraintsOf(pod, 'ScheduleAnyway') : defaultConstraints(siblingsOf(pod));
    if (constraints.length === 0) return skip;
    context.write(softDomains, countSoftDomains(pod, nodes, constraints, { context, needsAllKeys: hasOwn }));
    return ok;
  },
  score: (_, node, context) => {
    const { domains, ignored } = context.require(softDomains);
    if (ignored.has(node.name)) return 0;
    let score = 0;
    for (const { constraint, counts, weight } of domains) {
      const value = node.labels[constraint.topologyKey];
      if (value === undefined) continue;
      const count = constraint.topologyKey === hostname ? countMatching(constraint, node) : (counts.get(value) ?? 0);
      score += count * weight + (constraint.maxSkew - 1);
    }
    return Math.round(score);
  },
  normalize: (scores, nodes, context) => {
    const { ignored } = context.require(softDomains);
    const counted = scores.filter((_, i) => !ignored.has(nodes[i]?.name ?? ''));
    const max = Math.max(0, ...counted);
    const min = Math.min(...counted);
    for (let i = 0; i < scores.length; i++) {
      if (ignored.has(nodes[i]?.name ?? '')) scores[i] = 0;
      else scores[i] = max === 0 ? maxNodeScore : Math.trunc((maxNodeScore * (max + min - (scores[i] ?? 0))) / max);
    }
  },
});

const addTo = (counts: Map<string, number>, value: string, amount: number): void =>
  void counts.set(value, (counts.get(value) ?? 0) + amount);

function shift(pod: PodInfo, other: PodInfo, node: NodeInfo, context: CycleContext, sign: 1 | -1): void {
  const all = context.read(hardDomains)?.all ?? [];
  if (
    !hasAllKeys(
      all.map((d) => d.constraint),
      node,
    )
  )
    return;
  for (const { constraint, counts } of all) {
    if (constraint.matches(other) && isCounted(constraint, pod, node)) addTo(counts, node.labels[constraint.topologyKey] ?? '', sign);
  }
}

/** What kube-scheduler wishes for pods of one workload: not too uneven over zones and hosts. */
const defaultConstraints = (matches: ((other: PodInfo) => boolean) | undefined): readonly SpreadConstraint[] =>
  matches === undefined
    ? []
    : [
        { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 5 },
        { topologyKey: hostname, maxSkew: 3 },
      ].map((c) => ({ ...c, minDomains: 1, matches, honorsNodeAffinity: true, honorsTaints: false }));

function countSoftDomains(
  pod: PodInfo,
  nodes: readonly NodeInfo[],
  constraints: readonly SpreadConstraint[],
  o: { readonly context: CycleContext; readonly needsAllKeys: boolean },
): SoftDomains {
  const ignored = new Set(o.needsAllKeys ? nodes.filter((node) => !hasAllKeys(constraints, node)).map((node) => node.name) : []);
  const domains = constraints.map((constraint) => {
    const counts = new Map<string, number>();
    const isHost = constraint.topologyKey === hostname;
    if (!isHost) for (const node of nodes) if (!ignored.has(node.name)) counts.set(node.labels[constraint.topologyKey] ?? '', 0);
    return { constraint, counts, weight: Math.log((isHost ? nodes.length - ignored.size : counts.size) + 2) };
  });
  const spanning = domains.filter(({ constraint }) => constraint.topologyKey !== hostname);
  if (spanning.length > 0) {
    for (const node of o.context.snapshot.nodes) {
      if (o.needsAllKeys && !hasAllKeys(constraints, node)) continue;
      for (const { constraint, counts } of spanning) {
        const value = node.labels[constraint.topologyKey] ?? '';
        if (counts.has(value) && isCounted(constraint, pod, node)) addTo(counts, value, countMatching(constraint, node));
      }
    }
  }
  return { domains, ignored };
}
