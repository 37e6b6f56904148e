import type { Node, Pod } from '@skiff/api';
import type { DeepReadonly, JsonObject } from '@skiff/apimachinery';
import { formatTime } from '@skiff/component-base';
import type { ContainerReading, Reading, Usage } from './node-usage.ts';

export const metricsGroup = 'metrics.k8s.io';
export const metricsVersion = 'v1beta1';
const apiVersion = `${metricsGroup}/${metricsVersion}`;

const windowMs = ({ before, after }: Usage): number => Math.max(1, after.atMs - before.atMs);
const formatWindow = (ms: number): string => (ms < 1000 ? `${ms}ms` : `${ms / 1000}s`);

/** Counted from its start, a container that ran for less has no rate to speak of (metrics-server's bound). */
const leastAgeMs = 10_000;

/** As metrics-server prints it: nanocores and KiB. */
function figuresOf(after: Reading, nanos: number, ms: number): JsonObject {
  const nanoCores = Math.round((nanos * 1000) / ms);
  return { cpu: nanoCores === 0 ? '0' : `${nanoCores}n`, memory: `${Math.floor(after.memoryBytes / 1024)}Ki` };
}

/** What a container used since the sample before, or since it started after that; undefined: there is no rate to tell. */
function sinceBefore(
  before: ContainerReading | undefined,
  after: ContainerReading,
  ms: number,
): { readonly nanos: number; readonly ms: number } | undefined {
  if (before?.startedAtMs === after.startedAtMs && after.cpuNanos >= before.cpuNanos)
    return { nanos: after.cpuNanos - before.cpuNanos, ms };
  return after.startedAtMs > 0 && after.ageMs >= leastAgeMs ? { nanos: after.cpuNanos, ms: after.ageMs } : undefined;
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
  const nanos = usage.after.node.cpuNanos - usage.before.node.cpuNanos;
  if (nanos < 0) return undefined;
  return {
    kind: 'NodeMetrics',
    apiVersion,
    metadata: metadata(node, formatTime(nowMs)),
    timestamp: formatTime(usage.after.atMs),
    window: formatWindow(ms),
    usage: figuresOf(usage.after.node, nanos, ms),
  };
}

/** A PodMetrics; undefined: there is one of its containers of which nothing can be told yet, and its sum would be too small. Pure. */
export function podMetrics(pod: DeepReadonly<Pod>, usage: Usage, nowMs: number): JsonObject | undefined {
  const key = `${pod.metadata?.namespace}/${pod.metadata?.name}`;
  const before = usage.before.pods.get(key);
  const containers: { name: string; usage: JsonObject }[] = [];
  let longestMs = 0;
  for (const [name, reading] of usage.after.pods.get(key) ?? []) {
    const since = sinceBefore(before?.get(name), reading, windowMs(usage));
    if (since === undefined) return undefined;
    longestMs = Math.max(longestMs, since.ms);
    containers.push({ name, usage: figuresOf(reading, since.nanos, since.ms) });
  }
  if (containers.length === 0) return undefined;
  return {
    kind: 'PodMetrics',
    apiVersion,
    metadata: metadata(pod, formatTime(nowMs)),
    timestamp: formatTime(usage.after.atMs),
    window: formatWindow(longestMs),
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
