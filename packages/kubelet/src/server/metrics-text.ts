import type { KubeletParts } from '../kubelet.ts';
import { readUsage } from '../node/machine.ts';
import { collectStats, readNodeCpuNanos } from './summary.ts';

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

/** The kubelet about itself. */
export function kubeletMetrics(parts: KubeletParts): string {
  const workers = parts.pods.workers();
  const states = new Map<string, number>();
  for (const w of workers) for (const c of w.observed.containers) states.set(c.state, (states.get(c.state) ?? 0) + 1);
  const usage = process.resourceUsage();
  return renderMetrics([
    {
      name: 'kubelet_running_pods',
      type: 'gauge',
      help: 'Pods that have a running sandbox',
      samples: [{ value: workers.filter((w) => w.observed.sandboxes.some((s) => s.state === 'ready')).length }],
    },
    {
      name: 'kubelet_running_containers',
      type: 'gauge',
      help: 'Containers by state',
      samples: [...states].map(([container_state, value]) => ({ labels: { container_state }, value })),
    },
    { name: 'kubelet_desired_pods', type: 'gauge', help: 'Pods that the kubelet is to run', samples: [{ value: workers.length }] },
    {
      name: 'kubelet_node_name',
      type: 'gauge',
      help: 'Name of the node',
      samples: [{ labels: { node: parts.context.node.name }, value: 1 }],
    },
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'CPU time of the process',
      samples: [{ value: (usage.userCPUTime + usage.systemCPUTime) / 1e6 }],
    },
    {
      name: 'process_resident_memory_bytes',
      type: 'gauge',
      help: 'Resident memory of the process',
      samples: [{ value: process.memoryUsage.rss() }],
    },
  ]);
}

/** /metrics/resource: what metrics-server reads. */
export async function resourceMetrics(parts: KubeletParts): Promise<string> {
  const [pods, usage, node] = await Promise.all([collectStats(parts), readUsage(parts.context.rootDirectory), readNodeCpuNanos()]);
  const timestampMs = parts.context.clock.now();
  const containers = pods.flatMap((p) =>
    p.containers.map((c) => ({
      ...c,
      labels: { container: c.stats.name, namespace: p.pod.metadata.namespace, pod: p.pod.metadata.name },
    })),
  );
  const podLabels = (p: (typeof pods)[number]) => ({ namespace: p.pod.metadata.namespace, pod: p.pod.metadata.name });
  const sum = (p: (typeof pods)[number], field: 'cpuUsageNanoSeconds' | 'memoryWorkingSetBytes'): number =>
    p.containers.reduce((total, c) => total + c.stats[field], 0);
  return renderMetrics([
    {
      name: 'container_cpu_usage_seconds_total',
      type: 'counter',
      help: 'CPU time of containers',
      samples: containers.map((c) => ({ labels: c.labels, value: c.stats.cpuUsageNanoSeconds / 1e9, timestampMs: c.stats.timestampMs })),
    },
    {
      name: 'container_memory_working_set_bytes',
      type: 'gauge',
      help: 'Working set of containers',
      samples: containers.map((c) => ({ labels: c.labels, value: c.stats.memoryWorkingSetBytes, timestampMs: c.stats.timestampMs })),
    },
    {
      name: 'container_start_time_seconds',
      type: 'gauge',
      help: 'When containers were started',
      samples: containers.map((c) => ({ labels: c.labels, value: c.startedAtMs / 1000 })),
    },
    {
      name: 'node_cpu_usage_seconds_total',
      type: 'counter',
      help: 'CPU time of the node',
      samples: [{ value: node.cpuNanos / 1e9, timestampMs }],
    },
    {
      name: 'node_memory_working_set_bytes',
      type: 'gauge',
      help: 'Working set of the node',
      samples: [{ value: usage.memoryCapacityBytes - usage.memoryAvailableBytes, timestampMs }],
    },
    {
      name: 'pod_cpu_usage_seconds_total',
      type: 'counter',
      help: 'CPU time of pods',
      samples: pods.map((p) => ({ labels: podLabels(p), value: sum(p, 'cpuUsageNanoSeconds') / 1e9, timestampMs })),
    },
    {
      name: 'pod_memory_working_set_bytes',
      type: 'gauge',
      help: 'Working set of pods',
      samples: pods.map((p) => ({ labels: podLabels(p), value: sum(p, 'memoryWorkingSetBytes'), timestampMs })),
    },
    { name: 'resource_scrape_error', type: 'gauge', help: '1 when something could not be read', samples: [{ value: 0 }] },
  ]);
}
