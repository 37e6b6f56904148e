import type { Node, Pod } from '@skiff/api';
import type { DeepReadonly, JsonObject } from '@skiff/apimachinery';
import { formatTime } from '@skiff/component-base';
import type { Reading, Usage } from './node-usage.ts';

export const metricsGroup = 'metrics.k8s.io';
export const metricsVersion = 'v1beta1';
const apiVersion = `${metricsGroup}/${metricsVersion}`;

const windowMs = ({ before, after }: Usage): number => Math.max(1, after.atMs - before.atMs);
const formatWindow = (ms: number): string => (ms < 1000 ? `${ms}ms` : `${ms / 1000}s`);

/** As metrics-server prints it: nanocores and KiB. undefined: the counter went back, so there is no rate. */
function usageOf(before: Reading | undefined, after: Reading, ms: number): JsonObject | undefined {
  if (before === undefined || after.cpuNanos < before.cpuNanos) return undefined;
  const nanoCores = Math.round(((after.cpuNanos - before.cpuNanos) * 1000) / ms);
  return { cpu: nanoCores === 0 ? '0' : `${nanoCores}n`, memory: `${Math.floor(after.memoryBytes / 1024)}Ki` };
}

const metadata = (o: DeepReadonly<Node> | DeepReadonly<Pod>, now: string): JsonObject => ({
  name: o.metadata?.name ?? '',
  ...(o.metadata?.namespace === undefined ? {} : { namespace: o.metadata.namespace }),
  creationTimestamp: now,
  ...(o.metadata?.labels === undefined ? {} : { labels: { ...o.metadata.labels } }),
});

/** A NodeMetrics; undefined: there is no usage to tell. Pure. */
export function nodeMetrics(node: DeepReadonly<Node>, usage: Usage, nowMs: number): JsonObject | undefined {
  const ms = windowMs(usage);
  const figures = usageOf(usage.before.node, usage.after.node, ms);
  if (figures === undefined) return undefined;
  return {
    kind: 'NodeMetrics',
    apiVersion,
    metadata: metadata(node, formatTime(nowMs)),
    timestamp: formatTime(usage.after.atMs),
    window: formatWindow(ms),
    usage: figures,
  };
}

/** A PodMetrics; undefined: the pod did not run at both samples. Pure. */
export function podMetrics(pod: DeepReadonly<Pod>, usage: Usage, nowMs: number): JsonObject | undefined {
  const key = `${pod.metadata?.namespace}/${pod.metadata?.name}`;
  const before = usage.before.pods.get(key);
  const after = usage.after.pods.get(key);
  if (before === undefined || after === undefined) return undefined;
  const ms = windowMs(usage);
  const containers = [...after].flatMap(([name, reading]) => {
    const figures = usageOf(before.get(name), reading, ms);
    return figures === undefined ? [] : [{ name, usage: figures }];
  });
  if (containers.length === 0) return undefined;
  return {
    kind: 'PodMetrics',
    apiVersion,
    metadata: metadata(pod, formatTime(nowMs)),
    timestamp: formatTime(usage.after.atMs),
    window: formatWindow(ms),
    containers,
  };
}

export const metricsList = (kind: 'NodeMetricsList' | 'PodMetricsList', items: readonly JsonObject[]): JsonObject => ({
  kind,
  apiVersion,
  metadata: {},
  items: [...items],
});

const resources = [
  { name: 'nodes', kind: 'NodeMetrics', namespaced: false },
  { name: 'pods', kind: 'PodMetrics', namespaced: true },
] as const;

export const resourceList: JsonObject = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: apiVersion,
  resources: resources.map((r) => ({ ...r, singularName: '', verbs: ['get', 'list'] })),
};

/** The same for aggregated discovery. */
export const discoveredResources: readonly JsonObject[] = resources.map((r) => ({
  resource: r.name,
  responseKind: { group: metricsGroup, version: metricsVersion, kind: r.kind },
  scope: r.namespaced ? 'Namespaced' : 'Cluster',
  singularResource: '',
  verbs: ['get', 'list'],
}));
