import os from 'node:os';
import type { KubeletParts } from '../kubelet.ts';
import { isHostNetwork } from '../pod/pod-snapshot.ts';
import type { CgroupDetails } from '../stats/cgroup-details.ts';
import type { CgroupReading } from '../stats/cgroup-reader.ts';
import { type InterfaceStats, readNetwork } from '../stats/network-stats.ts';
import { family, type Family, renderMetrics, type Sample } from './metrics-text.ts';
import { readNodeCpuNanos } from './summary.ts';

type Labels = Readonly<Record<string, string>>;
interface CgroupFigures {
  readonly labels: Labels;
  readonly reading: Pick<CgroupReading, 'cpuNanos' | 'memoryUsageBytes' | 'workingSetBytes'> & {
    readonly rssBytes?: number;
    readonly pageFaults?: number;
    readonly majorPageFaults?: number;
    readonly processes?: number;
    readonly swapBytes?: number;
    readonly memoryLimitBytes?: number;
  };
  readonly startedAtMs?: number;
  readonly details?: CgroupDetails | undefined;
  /** Whether it has a CPU limit: without one there are no periods to count. */
  readonly hasQuota?: boolean;
}

const seconds = (nanos: number | undefined): number | undefined => (nanos === undefined ? undefined : nanos / 1e9);
const quota = (f: CgroupFigures): CgroupDetails | undefined => (f.hasQuota === true ? f.details : undefined);

/** /metrics/cadvisor: usage by cgroup under cAdvisor's names and labels, which dashboards go by. */
export async function cadvisorMetrics(parts: KubeletParts): Promise<string> {
  const [pods, disks, usage, machine] = await Promise.all([
    parts.stats.pods(),
    parts.stats.disks({ maxAgeMs: 60_000 }),
    parts.stats.node(),
    readNodeCpuNanos(),
  ]);
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
        details: p.containers[0] === undefined ? undefined : await parts.stats.details(p.containers[0].stats.id, 'pod'),
        startedAtMs: Date.parse(p.pod.status.startTime ?? '') || timestampMs,
      });
    for (const c of p.containers) {
      const labels = { container: c.stats.name, id: `/kubepods/pod${uid}/${c.stats.id}`, image: c.status.image, name: c.stats.id, ...base };
      const { stats } = c;
      figures.push({
        labels,
        startedAtMs: c.status.startedAtMs,
        details: await parts.stats.details(c.stats.id, 'container'),
        hasQuota: c.status.resources.cpuQuotaMicros !== undefined,
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
  const { memoryCapacityBytes, memoryAvailableBytes } = usage.machine;
  const workingSetBytes = memoryCapacityBytes - memoryAvailableBytes;
  const root: Labels = { container: '', id: '/', image: '', name: '', namespace: '', pod: '' };
  // The node as a whole.
  figures.push({ labels: root, reading: { cpuNanos: machine.cpuNanos, memoryUsageBytes: workingSetBytes, workingSetBytes } });
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
  const traffic = (what: string, help: string, value: (d: CgroupDetails['devices'][number]) => number): Family =>
    family(
      `container_fs_${what}_total`,
      'counter',
      help,
      figures.flatMap((f) =>
        (f.details?.devices ?? []).map((d) => ({ labels: { ...f.labels, device: d.device }, value: value(d), timestampMs })),
      ),
    );
  return renderMetrics([
    of('container_cpu_usage_seconds_total', 'counter', 'CPU time', (f) => f.reading.cpuNanos / 1e9, { cpu: 'total' }),
    of('container_memory_working_set_bytes', 'gauge', 'Working set', (f) => f.reading.workingSetBytes),
    of('container_memory_usage_bytes', 'gauge', 'Memory with caches', (f) => f.reading.memoryUsageBytes),
    of('container_memory_rss', 'gauge', 'Anonymous memory', (f) => f.reading.rssBytes),
    of('container_memory_swap', 'gauge', 'Swap', (f) => f.reading.swapBytes),
    family(
      'container_memory_failures_total',
      'counter',
      'Page faults',
      (['pgfault', 'pgmajfault'] as const).flatMap((type) =>
        figures.flatMap(({ labels, reading }) => {
          const value = type === 'pgfault' ? reading.pageFaults : reading.majorPageFaults;
          return value === undefined ? [] : [{ labels: { ...labels, failure_type: type, scope: 'container' }, value, timestampMs }];
        }),
      ),
    ),
    of('container_processes', 'gauge', 'Processes', (f) => f.reading.processes),
    of('container_start_time_seconds', 'gauge', 'When it was started', (f) =>
      f.startedAtMs === undefined ? undefined : f.startedAtMs / 1000,
    ),
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
    of('container_cpu_user_seconds_total', 'counter', 'CPU time of programs', (f) => seconds(f.details?.userNanos)),
    of('container_cpu_system_seconds_total', 'counter', 'CPU time of the kernel for them', (f) => seconds(f.details?.systemNanos)),
    of('container_cpu_cfs_periods_total', 'counter', 'Periods of the CPU limit', (f) => quota(f)?.periods),
    of('container_cpu_cfs_throttled_periods_total', 'counter', 'Periods in which it was reached', (f) => quota(f)?.throttledPeriods),
    of('container_cpu_cfs_throttled_seconds_total', 'counter', 'Time spent waiting for it', (f) => seconds(quota(f)?.throttledNanos)),
    of('container_memory_cache', 'gauge', 'Caches of files', (f) => f.details?.cacheBytes),
    of('container_memory_max_usage_bytes', 'gauge', 'The most memory with caches so far', (f) => f.details?.maxUsageBytes),
    of('container_memory_failcnt', 'counter', 'How often the memory limit was reached', (f) => f.details?.memoryFailures),
    of('container_oom_events_total', 'counter', 'Processes killed for want of memory', (f) => f.details?.oomKills),
    traffic('reads_bytes', 'Bytes read', (d) => d.readBytes),
    traffic('writes_bytes', 'Bytes written', (d) => d.writtenBytes),
    traffic('reads', 'Reads', (d) => d.reads),
    traffic('writes', 'Writes', (d) => d.writes),
    family(
      'container_spec_cpu_period',
      'gauge',
      'Period of the CPU limit in microseconds',
      limits.flatMap((l) => (l.cpuQuota === undefined ? [] : [{ labels: l.labels, value: 100_000 }])),
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
