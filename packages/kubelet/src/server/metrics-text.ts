import os from 'node:os';
import type { KubeletParts } from '../kubelet.ts';
import { isHostNetwork } from '../pod/pod-snapshot.ts';
import type { CgroupReading } from '../stats/cgroup-reader.ts';
import { type InterfaceStats, readNetwork } from '../stats/network-stats.ts';
import type { PodReading } from '../stats/pod-stats.ts';
import type { ClaimStats } from '../volumes/claim-stats.ts';
import { readNodeCpuNanos } from './summary.ts';

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  readonly timestampMs?: number;
}
interface Family {
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

const family = (name: string, type: Family['type'], help: string, samples: readonly Sample[]): Family => ({ name, type, help, samples });

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

type Labels = Readonly<Record<string, string>>;
interface CgroupFigures {
  readonly labels: Labels;
  readonly reading: Pick<
    CgroupReading,
    'cpuNanos' | 'memoryUsageBytes' | 'workingSetBytes' | 'rssBytes' | 'pageFaults' | 'majorPageFaults'
  > & {
    readonly processes?: number;
    readonly swapBytes?: number;
    readonly memoryLimitBytes?: number;
  };
  readonly startedAtMs: number;
}

/** /metrics/cadvisor: usage by cgroup under cAdvisor's names and labels, which dashboards go by. */
export async function cadvisorMetrics(parts: KubeletParts): Promise<string> {
  const [pods, disks, usage] = await Promise.all([parts.stats.pods(), parts.stats.disks({ maxAgeMs: 60_000 }), parts.stats.node()]);
  const timestampMs = parts.context.clock.now();
  const figures: CgroupFigures[] = [];
  const written: Sample[] = [];
  const interfaces: { readonly labels: Labels; readonly i: InterfaceStats }[] = [];
  const limits: { labels: Labels; cpuQuota?: number; cpuShares?: number; memory: number }[] = [];
  for (const p of pods) {
    const { name: pod, namespace, uid } = p.pod.metadata;
    const base = { namespace, pod };
    if (p.whole !== undefined)
      figures.push({
        labels: { container: '', id: `/kubepods/pod${uid}`, image: '', name: '', ...base },
        reading: p.whole,
        startedAtMs: Date.parse(p.pod.status.startTime ?? '') || timestampMs,
      });
    for (const c of p.containers) {
      const labels = { container: c.stats.name, id: `/kubepods/pod${uid}/${c.stats.id}`, image: c.status.image, name: c.stats.id, ...base };
      const { stats } = c;
      figures.push({
        labels,
        startedAtMs: c.status.startedAtMs,
        reading: {
          cpuNanos: stats.cpuUsageNanoSeconds,
          memoryUsageBytes: stats.memoryUsageBytes,
          workingSetBytes: stats.memoryWorkingSetBytes,
          rssBytes: stats.memoryRssBytes,
          pageFaults: stats.pageFaults,
          majorPageFaults: stats.majorPageFaults,
          ...(c.swapBytes === undefined ? {} : { swapBytes: c.swapBytes }),
        },
      });
      const disk = disks.get(uid)?.containers.get(c.stats.name);
      if (disk !== undefined) written.push({ labels: { ...labels, device: '' }, value: disk.writableBytes + disk.logBytes, timestampMs });
      const { cpuQuotaMicros, cpuShares, memoryLimitBytes } = c.status.resources;
      limits.push({
        labels,
        memory: memoryLimitBytes ?? 0,
        ...(cpuQuotaMicros === undefined ? {} : { cpuQuota: cpuQuotaMicros }),
        ...(cpuShares === undefined ? {} : { cpuShares }),
      });
    }
    const pid = p.containers[0]?.status.pid;
    if (pid !== undefined && !isHostNetwork(p.pod))
      for (const i of await readNetwork(pid))
        interfaces.push({ i, labels: { container: '', id: `/kubepods/pod${uid}`, image: '', interface: i.name, name: '', ...base } });
  }
  const of = (
    name: string,
    type: Family['type'],
    help: string,
    value: (f: CgroupFigures) => number | undefined,
    extra: Labels = {},
  ): Family =>
    family(
      name,
      type,
      help,
      figures.flatMap((f) => {
        const v = value(f);
        return v === undefined ? [] : [{ labels: { ...f.labels, ...extra }, value: v, timestampMs }];
      }),
    );
  const net = (what: string, help: string, value: (i: InterfaceStats) => number): Family =>
    family(
      `container_network_${what}_total`,
      'counter',
      help,
      interfaces.map(({ labels, i }) => ({ labels, value: value(i), timestampMs })),
    );
  return renderMetrics([
    of('container_cpu_usage_seconds_total', 'counter', 'CPU time', (f) => f.reading.cpuNanos / 1e9, { cpu: 'total' }),
    of('container_memory_working_set_bytes', 'gauge', 'Working set', (f) => f.reading.workingSetBytes),
    of('container_memory_usage_bytes', 'gauge', 'Memory with caches', (f) => f.reading.memoryUsageBytes),
    of('container_memory_rss', 'gauge', 'Anonymous memory', (f) => f.reading.rssBytes),
    of('container_memory_swap', 'gauge', 'Swap', (f) => f.reading.swapBytes),
    of('container_memory_failures_total', 'counter', 'Page faults', (f) => f.reading.pageFaults, {
      failure_type: 'pgfault',
      scope: 'container',
    }),
    of('container_processes', 'gauge', 'Processes', (f) => f.reading.processes),
    of('container_start_time_seconds', 'gauge', 'When it was started', (f) => f.startedAtMs / 1000),
    of('container_last_seen', 'gauge', 'When it was seen last', () => timestampMs / 1000),
    family('container_fs_usage_bytes', 'gauge', 'Writable layer and log', written),
    family(
      'container_spec_memory_limit_bytes',
      'gauge',
      'Memory limit; 0 is none',
      limits.map((l) => ({ labels: l.labels, value: l.memory })),
    ),
    family(
      'container_spec_cpu_shares',
      'gauge',
      'CPU shares',
      limits.flatMap((l) => (l.cpuShares === undefined ? [] : [{ labels: l.labels, value: l.cpuShares }])),
    ),
    family(
      'container_spec_cpu_quota',
      'gauge',
      'CPU quota in microseconds for each 100 ms',
      limits.flatMap((l) => (l.cpuQuota === undefined ? [] : [{ labels: l.labels, value: l.cpuQuota }])),
    ),
    net('receive_bytes', 'Bytes received', (i) => i.rxBytes),
    net('receive_packets', 'Packets received', (i) => i.rxPackets),
    net('receive_packets_dropped', 'Packets dropped on their way in', (i) => i.rxDropped),
    net('receive_errors', 'Errors while receiving', (i) => i.rxErrors),
    net('transmit_bytes', 'Bytes sent', (i) => i.txBytes),
    net('transmit_packets', 'Packets sent', (i) => i.txPackets),
    net('transmit_packets_dropped', 'Packets dropped on their way out', (i) => i.txDropped),
    net('transmit_errors', 'Errors while sending', (i) => i.txErrors),
    family('machine_cpu_cores', 'gauge', 'Logical CPUs of the node', [{ value: os.cpus().length }]),
    family('machine_memory_bytes', 'gauge', 'Memory of the node', [{ value: usage.machine.memoryCapacityBytes }]),
  ]);
}
