import { statfs } from 'node:fs/promises';
import type { ContainerStats } from '@skiff/cri';
import { newestContainer } from '../actions/observed-pod.ts';
import type { KubeletParts } from '../kubelet.ts';
import { readUsage } from '../node/machine.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';

export interface PodStats {
  readonly pod: PodSnapshot;
  readonly startTime: string | undefined;
  readonly containers: readonly { readonly startedAtMs: number; readonly stats: ContainerStats }[];
}

/** Readings of all running containers, one pod after the other so that the engine isn't asked everything at once. */
export async function collectStats(parts: KubeletParts): Promise<readonly PodStats[]> {
  const out: PodStats[] = [];
  for (const worker of parts.pods.workers()) {
    const { pod, observed } = worker;
    const running = observed.containers.filter((c) => c.state === 'running' && newestContainer(observed, c.metadata.name)?.id === c.id);
    const containers = await Promise.all(
      running.map(async (c) => {
        const stats = await parts.context.runtime.containerStats(c.id).catch(() => undefined);
        return stats === undefined ? [] : [{ startedAtMs: c.startedAtMs, stats: { ...stats, name: c.metadata.name } }];
      }),
    );
    out.push({ pod, startTime: pod.status.startTime, containers: containers.flat() });
  }
  return out;
}

const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
const cpu = (s: ContainerStats): object => ({ time: time(s.timestampMs), usageCoreNanoSeconds: s.cpuUsageNanoSeconds });
const memory = (s: ContainerStats): object => ({
  time: time(s.timestampMs),
  usageBytes: s.memoryUsageBytes,
  workingSetBytes: s.memoryWorkingSetBytes,
  rssBytes: s.memoryRssBytes,
  pageFaults: s.pageFaults,
  majorPageFaults: s.majorPageFaults,
});

const total = (list: readonly { readonly stats: ContainerStats }[], field: keyof ContainerStats): number =>
  list.reduce((sum, c) => sum + Number(c.stats[field]), 0);

/** stats.k8s.io's Summary as far as the engine knows it: CPU and memory of pods and the node, and the node's filesystem. */
export async function renderSummary(parts: KubeletParts): Promise<object> {
  const { context } = parts;
  const nowMs = context.clock.now();
  const [pods, usage, fs, uptime] = await Promise.all([
    collectStats(parts),
    readUsage(context.rootDirectory),
    statfs(context.rootDirectory),
    readNodeCpuNanos(),
  ]);
  return {
    node: {
      nodeName: context.node.name,
      startTime: time(nowMs - uptime.uptimeMs),
      cpu: { time: time(nowMs), usageCoreNanoSeconds: uptime.cpuNanos },
      memory: {
        time: time(nowMs),
        availableBytes: usage.memoryAvailableBytes,
        usageBytes: usage.memoryCapacityBytes - usage.memoryAvailableBytes,
        workingSetBytes: usage.memoryCapacityBytes - usage.memoryAvailableBytes,
      },
      fs: {
        time: time(nowMs),
        availableBytes: fs.bavail * fs.bsize,
        capacityBytes: fs.blocks * fs.bsize,
        usedBytes: (fs.blocks - fs.bfree) * fs.bsize,
        inodesFree: fs.ffree,
        inodes: fs.files,
      },
    },
    pods: pods.map(({ pod, startTime, containers }) => ({
      podRef: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
      startTime: startTime ?? null,
      containers: containers.map((c) => ({
        name: c.stats.name,
        startTime: time(c.startedAtMs),
        cpu: cpu(c.stats),
        memory: memory(c.stats),
      })),
      cpu: { time: time(nowMs), usageCoreNanoSeconds: total(containers, 'cpuUsageNanoSeconds') },
      memory: {
        time: time(nowMs),
        usageBytes: total(containers, 'memoryUsageBytes'),
        workingSetBytes: total(containers, 'memoryWorkingSetBytes'),
        rssBytes: total(containers, 'memoryRssBytes'),
      },
    })),
  };
}

/** CPU time of the whole machine and how long it is up. */
export async function readNodeCpuNanos(): Promise<{ cpuNanos: number; uptimeMs: number }> {
  const { readFile } = await import('node:fs/promises');
  const [stat, uptime] = await Promise.all([readFile('/proc/stat', 'utf8'), readFile('/proc/uptime', 'utf8')]);
  const ticks = (/^cpu\s+(.*)$/m.exec(stat)?.[1] ?? '').split(/\s+/).map(Number);
  // user, nice, system, irq, softirq, steal; a tick is 10 ms.
  const busy = [0, 1, 2, 5, 6, 7].reduce((sum, i) => sum + (ticks[i] ?? 0), 0);
  return { cpuNanos: busy * 10_000_000, uptimeMs: Number(uptime.split(' ')[0]) * 1000 };
}
