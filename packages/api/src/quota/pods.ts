import { type DeepReadonly, type KubeObject, parseTime } from '@skiff/apimachinery';
import { computePodQOSClass } from '../core/v1/pod/qos-class.ts';
import { addResources, type ResourceList } from '../core/v1/resource-list.ts';
import { isHugePages, isNativeResource } from '../core/v1/resource-names.ts';
import type { Container, Pod, PodAffinityTerm } from '../generated/types/core-v1.ts';
import { objectCountName, type QuotaEvaluator, scopeSelects } from './evaluator.ts';
import { podResourceTotals } from './pod-resources.ts';

const countName = objectCountName('', 'pods');
const podNames: ReadonlySet<string> = new Set([
  countName,
  'pods',
  ...['cpu', 'memory', 'ephemeral-storage'].flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
]);
/** What containers must name when a quota counts it. */
const mustBeNamed: ReadonlySet<string> = new Set(['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory']);

const isExtended = (name: string): boolean => name.startsWith('requests.') && !isNativeResource(name);
const isTerminating = (pod: DeepReadonly<Pod>): boolean => (pod.spec?.activeDeadlineSeconds ?? -1) >= 0;

/** Requests and limits under the names that quotas have for them. */
function quotaNames(requests: DeepReadonly<ResourceList>, limits: DeepReadonly<ResourceList>): ResourceList {
  const result: ResourceList = { pods: '1' };
  for (const name of ['cpu', 'memory', 'ephemeral-storage']) {
    const [request, limit] = [requests[name], limits[name]];
    if (request !== undefined) {
      result[name] = request;
      result[`requests.${name}`] = request;
    }
    if (limit !== undefined) result[`limits.${name}`] = limit;
  }
  for (const [name, request] of Object.entries(requests)) {
    if (isHugePages(name)) result[name] = request;
    if (isHugePages(name) || !isNativeResource(name)) result[`requests.${name}`] = request;
  }
  return result;
}

/** Pods that have ended, or should have been gone by now, use nothing but their place. */
function isCharged(pod: DeepReadonly<Pod>, nowMs: number): boolean {
  const { phase } = pod.status ?? {};
  if (phase === 'Failed' || phase === 'Succeeded') return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata ?? {};
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return true;
  return nowMs <= parseTime(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
}

function reachesOtherNamespaces(pod: DeepReadonly<Pod>): boolean {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  return [podAffinity, podAntiAffinity].some((affinity) => {
    const terms: DeepReadonly<PodAffinityTerm>[] = [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((weighted) => weighted.podAffinityTerm),
    ];
    return terms.some((term) => (term.namespaces?.length ?? 0) > 0 || term.namespaceSelector !== undefined);
  });
}

function missingOf(names: readonly string[], containers: readonly DeepReadonly<Container>[]): string | undefined {
  const lacking = new Map<string, Set<string>>();
  for (const container of containers) {
    const named = quotaNames(container.resources?.requests ?? {}, container.resources?.limits ?? {});
    for (const name of names) {
      if (!mustBeNamed.has(name) || named[name] !== undefined) continue;
      const containerNames = lacking.get(name) ?? new Set();
      lacking.set(name, containerNames.add(container.name));
    }
  }
  if (lacking.size === 0) return undefined;
  const parts = [...lacking].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, of]) => `${name} for: ${[...of].sort().join(',')}`);
  return `must specify ${parts.join('; ')}`;
}

/** Pods count by number, by what they request and limit, and by scope. */
export const podQuota: QuotaEvaluator = {
  group: '',
  resource: 'pods',
  handles(a) {
    if (a.subresource === 'resize') return a.operation === 'UPDATE';
    if (a.subresource !== '') return false;
    return a.operation === 'CREATE' || isTerminating(a.oldObject as DeepReadonly<Pod>) !== isTerminating(a.object as DeepReadonly<Pod>);
  },
  matchingResources: (names) =>
    names.filter((name) => podNames.has(name) || isHugePages(name) || name.startsWith('requests.hugepages-') || isExtended(name)),
  matchesScope(scope, object) {
    const pod = object as DeepReadonly<Pod>;
    switch (scope.scopeName) {
      case 'Terminating':
        return isTerminating(pod);
      case 'NotTerminating':
        return !isTerminating(pod);
      case 'BestEffort':
        return computePodQOSClass(pod.spec) === 'BestEffort';
      case 'NotBestEffort':
        return computePodQOSClass(pod.spec) !== 'BestEffort';
      case 'PriorityClass':
        return scopeSelects(scope, pod.spec?.priorityClassName || undefined);
      case 'CrossNamespacePodAffinity':
        return reachesOtherNamespaces(pod);
      default:
        return false;
    }
  },
  missing(names, object) {
    const { spec } = object as DeepReadonly<Pod>;
    if (spec === undefined) return undefined;
    const ownRequests = { ...spec.resources?.requests, ...spec.resources?.limits };
    if (Object.keys(ownRequests).length > 0) return undefined;
    return missingOf(names, [...spec.containers, ...(spec.initContainers ?? [])]);
  },
  usage(object: DeepReadonly<KubeObject>, nowMs: number): ResourceList {
    const pod = object as DeepReadonly<Pod>;
    if (!isCharged(pod, nowMs)) return { [countName]: '1' };
    const requests = podResourceTotals(pod, 'requests', { actual: true });
    const limits = podResourceTotals(pod, 'limits', { actual: true });
    return addResources({ [countName]: '1' }, quotaNames(requests, limits));
  },
};
