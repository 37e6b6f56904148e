import type { KubeletParts } from '../kubelet.ts';
import type { PodReading } from '../stats/pod-stats.ts';
import type { ClaimStats } from '../volumes/claim-stats.ts';
import { readNodeCpuNanos } from './summary.ts';

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  readonly timestampMs?: number;
}
export interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly samples: readonly Sample[];
}

const escape = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** The Prometheus text format. */
export function renderMetrics(families: readonly Family[]): string {
  const lines: string[] = [];
  for (const f of families) {
    lines.push(`# HELP ${f.name} ${f.help}`, `# TYPE ${f.name} ${f.type}`);
    for (const s of f.samples) {
      const labels = Object.entries(s.labels ?? {}).map(([k, v]) => `${k}="${escape(v)}"`);
      lines.push(
        `${f.name}${labels.length === 0 ? '' : `{${labels.join(',')}}`} ${s.value}${s.timestampMs === undefined ? '' : ` ${s.timestampMs}`}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

export const family = (name: string, type: Family['type'], help: string, samples: readonly Sample[]): Family => ({
  name,
  type,
  help,
  samples,
});

/** kubelet_volume_stats_*: how full the volumes of claims are. */
export function claimMetrics(stats: readonly ClaimStats[]): string {
  const byClaim = new Map(stats.map((s) => [`${s.namespace}/${s.claimName}`, s]));
  const gauge = (name: string, help: string, of: (s: ClaimStats) => number): Family =>
    family(
      `kubelet_volume_stats_${name}`,
      'gauge',
      help,
      [...byClaim.values()].map((s) => ({ labels: { namespace: s.namespace, persistentvolumeclaim: s.claimName }, value: of(s) })),
    );
  if (byClaim.size === 0) return '';
  return renderMetrics([
    gauge('available_bytes', 'Bytes that are free in the volume', (s) => s.availableBytes),
    gauge('capacity_bytes', 'Bytes that the volume has', (s) => s.capacityBytes),
    gauge('used_bytes', 'Bytes that are used in the volume', (s) => s.usedBytes),
    gauge('inodes', 'Inodes that the volume has', (s) => s.inodes),
    gauge('inodes_free', 'Inodes that are free in the volume', (s) => s.inodesFree),
    gauge('inodes_used', 'Inodes that are used in the volume', (s) => s.inodesUsed),
  ]);
}

/** /metrics/resource: what metrics-server reads. */
export async function resourceMetrics(parts: KubeletParts): Promise<string> {
  const [pods, usage, node] = await Promise.all([parts.stats.pods(), parts.stats.node(), readNodeCpuNanos()]);
  const timestampMs = parts.context.clock.now();
  const containers = pods.flatMap((p) =>
    p.containers.map((c) => ({ ...c, labels: { container: c.stats.name, namespace: p.pod.metadata.namespace, pod: p.pod.metadata.name } })),
  );
  const podLabels = (p: PodReading) => ({ namespace: p.pod.metadata.namespace, pod: p.pod.metadata.name });
  const sum = (p: PodReading, of: (c: PodReading['containers'][number]) => number): number => p.containers.reduce((t, c) => t + of(c), 0);
  const { memoryCapacityBytes, memoryAvailableBytes } = usage.machine;
  return renderMetrics([
    family(
      'container_cpu_usage_seconds_total',
      'counter',
      'CPU time of containers',
      containers.map((c) => ({ labels: c.labels, value: c.stats.cpuUsageNanoSeconds / 1e9, timestampMs: c.stats.timestampMs })),
    ),
    family(
      'container_memory_working_set_bytes',
      'gauge',
      'Working set of containers',
      containers.map((c) => ({ labels: c.labels, value: c.stats.memoryWorkingSetBytes, timestampMs: c.stats.timestampMs })),
    ),
    family(
      'container_start_time_seconds',
      'gauge',
      'When containers were started',
      containers.map((c) => ({ labels: c.labels, value: c.status.startedAtMs / 1000 })),
    ),
    family(
      'container_swap_usage_bytes',
      'gauge',
      'Swap of containers',
      containers.flatMap((c) =>
        c.swapBytes === undefined ? [] : [{ labels: c.labels, value: c.swapBytes, timestampMs: c.stats.timestampMs }],
      ),
    ),
    family('node_cpu_usage_seconds_total', 'counter', 'CPU time of the node', [{ value: node.cpuNanos / 1e9, timestampMs }]),
    family('node_memory_working_set_bytes', 'gauge', 'Working set of the node', [
      { value: memoryCapacityBytes - memoryAvailableBytes, timestampMs },
    ]),
    family(
      'pod_cpu_usage_seconds_total',
      'counter',
      'CPU time of pods',
      pods.map((p) => ({
        labels: podLabels(p),
        value: (p.whole?.cpuNanos ?? sum(p, (c) => c.stats.cpuUsageNanoSeconds)) / 1e9,
        timestampMs,
      })),
    ),
    family(
      'pod_memory_working_set_bytes',
      'gauge',
      'Working set of pods',
      pods.map((p) => ({
        labels: podLabels(p),
        value: p.whole?.workingSetBytes ?? sum(p, (c) => c.stats.memoryWorkingSetBytes),
        timestampMs,
      })),
    ),
    family(
      'pod_swap_usage_bytes',
      'gauge',
      'Swap of pods',
      pods.flatMap((p) => (p.whole === undefined ? [] : [{ labels: podLabels(p), value: p.whole.swapBytes, timestampMs }])),
    ),
    family('resource_scrape_error', 'gauge', '1 when something could not be read', [{ value: 0 }]),
  ]);
}
