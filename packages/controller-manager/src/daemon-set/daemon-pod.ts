import { daemonSet as daemonSets, type DaemonSet, type Node, type Pod, type PodSpec, selectsNode, type Toleration } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { revisionHashLabel } from '../history/controller-history.ts';
import { tolerates } from '../node-lifecycle/taints.ts';
import { controllerReference } from '../owner-references.ts';
import { podFromTemplate } from '../pods/pod-from-template.ts';

export type DaemonSetView = DeepReadonly<DaemonSet>;
export type PodView = DeepReadonly<Pod>;
type NodeView = DeepReadonly<Node>;

const generationAnnotation = 'deprecated.daemonset.template.generation';
const generationLabel = 'pod-template-generation';

const exists = (key: string, effect: string): Toleration => ({ key: `node.kubernetes.io/${key}`, operator: 'Exists', effect });

/** Daemon pods stay through the node's troubles: they may be what mends them. */
export function daemonTolerations(spec: DeepReadonly<PodSpec>): Toleration[] {
  const added = [
    exists('not-ready', 'NoExecute'),
    exists('unreachable', 'NoExecute'),
    exists('disk-pressure', 'NoSchedule'),
    exists('memory-pressure', 'NoSchedule'),
    exists('pid-pressure', 'NoSchedule'),
    exists('unschedulable', 'NoSchedule'),
    ...(spec.hostNetwork === true ? [exists('network-unavailable', 'NoSchedule')] : []),
  ];
  const own = (spec.tolerations ?? []) as readonly Toleration[];
  const same = (a: Toleration, b: Toleration): boolean =>
    a.key === b.key && a.effect === b.effect && (a.operator || 'Equal') === (b.operator || 'Equal') && (a.value ?? '') === (b.value ?? '');
  return [...own.filter((t) => !added.some((a) => same(a, t))), ...added];
}

/** Whether a daemon pod should be on the node, and whether one that is there may stay. */
export function nodeShouldRun(set: DaemonSetView, node: NodeView): { run: boolean; stay: boolean } {
  const spec = set.spec?.template.spec;
  if (
    spec === undefined ||
    (spec.nodeName && spec.nodeName !== node.metadata?.name) ||
    !selectsNode(spec, { name: node.metadata?.name ?? '', labels: node.metadata?.labels ?? {} })
  )
    return { run: false, stay: false };
  const tolerations = daemonTolerations(spec);
  const untolerated = (node.spec?.taints ?? []).filter((taint) => !tolerations.some((t) => tolerates(t, taint)));
  if (untolerated.some((t) => t.effect === 'NoExecute')) return { run: false, stay: false };
  return { run: !untolerated.some((t) => t.effect === 'NoSchedule'), stay: true };
}

/** The pod for one node: its affinity names it, so that the scheduler binds it there and nowhere else. */
export function daemonPod(set: DaemonSetView, nodeName: string, hash: string): Pod {
  const pod = podFromTemplate(set.spec?.template, set, controllerReference(set, daemonSets));
  const generation = set.metadata?.annotations?.[generationAnnotation];
  pod.metadata = {
    ...pod.metadata,
    labels: { ...pod.metadata?.labels, [revisionHashLabel]: hash, ...(generation === undefined ? {} : { [generationLabel]: generation }) },
  };
  const spec = pod.spec ?? { containers: [] };
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [nodeName] }] };
  pod.spec = {
    ...spec,
    tolerations: daemonTolerations(spec),
    affinity: {
      ...spec.affinity,
      nodeAffinity: { ...spec.affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } },
    },
  };
  return pod;
}

/** Where a pod runs, or is meant to. */
export function targetNode(pod: PodView): string | undefined {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  const terms = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const field = terms.flatMap((t) => t.matchFields ?? []).find((f) => f.key === 'metadata.name' && f.operator === 'In');
  return field?.values?.[0];
}

export function isUpdated(set: DaemonSetView, pod: PodView, hash: string): boolean {
  const generation = set.metadata?.annotations?.[generationAnnotation];
  const labels = pod.metadata?.labels;
  return (
    labels?.[revisionHashLabel] === hash ||
    (generation !== undefined && labels?.[revisionHashLabel] === undefined && labels?.[generationLabel] === generation)
  );
}

/** Scheduled ones first, then the oldest. */
export function byScheduledAndAge(a: PodView, b: PodView): number {
  const order = (p: PodView): string => `${p.spec?.nodeName ? 0 : 1} ${p.metadata?.creationTimestamp ?? ''} ${p.metadata?.name ?? ''}`;
  return order(a) < order(b) ? -1 : 1;
}
