import type { Pod, PodAffinityTerm, WeightedPodAffinityTerm } from '@skiff/api';
import { formatKey, type DeepReadonly, type ObjectKey } from '@skiff/apimachinery';
import { compileLabelSelector, labelsOf, type LabelMatcher, type Labels } from './label-selector.ts';
import { computePodRequests, type Resources } from './resources.ts';

export type PodView = DeepReadonly<Pod>;

export interface HostPort {
  readonly hostIP: string;
  readonly protocol: string;
  readonly port: number;
}

/** A pod (anti-)affinity term, ready to be matched. */
export interface AffinityTerm {
  readonly topologyKey: string;
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceSelector: LabelMatcher | undefined;
  readonly selector: LabelMatcher;
  /** 0 for required terms. */
  readonly weight: number;
}

/** A pod and what is computed from it once. Never changed. */
export interface PodInfo {
  readonly pod: PodView;
  readonly uid: string;
  readonly key: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly priority: number;
  readonly requests: Readonly<Resources>;
  /** With assumed amounts for containers that name none: for scoring. */
  readonly scoringRequests: Readonly<Resources>;
  readonly hostPorts: readonly HostPort[];
  readonly requiredAffinity: readonly AffinityTerm[];
  readonly requiredAntiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly AffinityTerm[];
  readonly preferredAntiAffinity: readonly AffinityTerm[];
}

const none: readonly AffinityTerm[] = [];

export function createPodInfo(pod: PodView): PodInfo {
  const namespace = pod.metadata?.namespace ?? '';
  const name = pod.metadata?.name ?? '';
  const affinity = pod.spec?.affinity?.podAffinity;
  const antiAffinity = pod.spec?.affinity?.podAntiAffinity;
  const required = (terms: readonly DeepReadonly<PodAffinityTerm>[] | undefined): readonly AffinityTerm[] =>
    terms?.map((t) => compileTerm(t, pod, 0)) ?? none;
  const preferred = (terms: readonly DeepReadonly<WeightedPodAffinityTerm>[] | undefined): readonly AffinityTerm[] =>
    terms?.map((t) => compileTerm(t.podAffinityTerm, pod, t.weight)) ?? none;
  return {
    pod,
    uid: pod.metadata?.uid ?? '',
    key: formatKey({ namespace, name }),
    name,
    namespace,
    labels: labelsOf(pod),
    priority: pod.spec?.priority ?? 0,
    requests: computePodRequests(pod),
    scoringRequests: computePodRequests(pod, { assumeMissing: true }),
    hostPorts: hostPortsOf(pod),
    requiredAffinity: required(affinity?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAntiAffinity: required(antiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: preferred(affinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAntiAffinity: preferred(antiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
  };
}

/** Without namespaces and namespaceSelector a term means the pod's own namespace. matchLabelKeys were merged into the selector by the apiserver. */
function compileTerm(term: DeepReadonly<PodAffinityTerm>, pod: PodView, weight: number): AffinityTerm {
  const names = term.namespaces ?? [];
  const isOwn = names.length === 0 && term.namespaceSelector === undefined;
  return {
    topologyKey: term.topologyKey,
    namespaces: new Set(isOwn ? [pod.metadata?.namespace ?? ''] : names),
    namespaceSelector: term.namespaceSelector === undefined ? undefined : compileLabelSelector(term.namespaceSelector),
    selector: compileLabelSelector(term.labelSelector),
    weight,
  };
}

/** Whether `other` is among the pods that a term speaks of. `namespaceLabels` are those of the other's namespace. */
export const termMatches = (term: AffinityTerm, other: PodInfo, namespaceLabels: Labels): boolean =>
  (term.namespaces.has(other.namespace) || (term.namespaceSelector?.(namespaceLabels) ?? false)) && term.selector(other.labels);

function hostPortsOf(pod: PodView): readonly HostPort[] {
  const sidecars = (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  return [...(pod.spec?.containers ?? []), ...sidecars].flatMap((container) =>
    (container.ports ?? [])
      .filter((p) => (p.hostPort ?? 0) > 0)
      .map((p) => ({ hostIP: p.hostIP || '0.0.0.0', protocol: p.protocol || 'TCP', port: p.hostPort ?? 0 })),
  );
}

export const podKey = (info: PodInfo): ObjectKey => ({ namespace: info.namespace, name: info.name });

export const isTerminal = (pod: PodView): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
