import { readFile } from 'node:fs/promises';
import type { KubeletParts } from '../kubelet.ts';
import { isHostNetwork } from '../pod/pod-snapshot.ts';
import type { CpuRates } from '../stats/cpu-rate.ts';
import type { PodDisk } from '../stats/disk-meter.ts';
import { defaultInterface, type InterfaceStats, readNetwork } from '../stats/network-stats.ts';
import type { NodeUsage } from '../stats/node-usage.ts';
import type { ClaimStats } from '../volumes/claim-stats.ts';
import type { ContainerReading, PodReading } from '../stats/pod-stats.ts';

/** How old figures of disks may be that are only shown (upstream's volumeStatsAggPeriod). */
const diskAgeMs = 60_000;

const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

interface Disk {
  readonly availableBytes: number;
  readonly capacityBytes: number;
  readonly inodes: number;
  readonly inodesFree: number;
}
const diskOf = ({ machine }: NodeUsage): Disk => ({
  availableBytes: machine.diskAvailableBytes,
  capacityBytes: machine.diskCapacityBytes,
  inodes: machine.diskInodes,
  inodesFree: machine.diskInodesFree,
});
const fs = (atMs: number, disk: Disk, used: { bytes: number; inodes?: number | undefined }): object => ({
  time: time(atMs),
  availableBytes: disk.availableBytes,
  capacityBytes: disk.capacityBytes,
  usedBytes: used.bytes,
  inodesFree: disk.inodesFree,
  inodes: disk.inodes,
  ...(used.inodes === undefined ? {} : { inodesUsed: used.inodes }),
});

const network = (atMs: number, all: readonly InterfaceStats[], main: InterfaceStats | undefined): object => {
  const figures = ({ name, rxBytes, rxErrors, txBytes, txErrors }: InterfaceStats): object => ({
    name,
    rxBytes,
    rxErrors,
    txBytes,
    txErrors,
  });
  return { time: time(atMs), ...(main === undefined ? { name: '' } : figures(main)), interfaces: all.map(figures) };
};

function containerSummary(c: ContainerReading, o: { disk: PodDisk | undefined; images: Disk; logs: Disk; rates: CpuRates }): object {
  const { stats, status } = c;
  const atMs = stats.timestampMs;
  const measured = o.disk?.containers.get(status.metadata.name);
  const limit = c.memoryLimitBytes;
  return {
    name: status.metadata.name,
    startTime: time(status.startedAtMs),
    cpu: {
      time: time(atMs),
      usageNanoCores: o.rates.rate(stats.id, { atMs, nanos: stats.cpuUsageNanoSeconds, sinceMs: status.startedAtMs }),
      usageCoreNanoSeconds: stats.cpuUsageNanoSeconds,
    },
    memory: {
      time: time(atMs),
      ...(limit === undefined ? {} : { availableBytes: Math.max(0, limit - stats.memoryWorkingSetBytes) }),
      usageBytes: stats.memoryUsageBytes,
      workingSetBytes: stats.memoryWorkingSetBytes,
      rssBytes: stats.memoryRssBytes,
      pageFaults: stats.pageFaults,
      majorPageFaults: stats.majorPageFaults,
    },
    ...(measured === undefined || o.disk === undefined
      ? {}
      : {
          rootfs: fs(o.disk.atMs, o.images, { bytes: measured.writableBytes }),
          logs: fs(o.disk.atMs, o.logs, { bytes: measured.logBytes }),
        }),
    ...(c.swapBytes === undefined ? {} : { swap: { time: time(atMs), swapUsageBytes: c.swapBytes } }),
  };
}

async function podSummary(
  r: PodReading,
  o: { disk: PodDisk | undefined; claims: readonly ClaimStats[]; node: Disk; images: Disk; rates: CpuRates; nowMs: number },
): Promise<object> {
  const { metadata, status } = r.pod;
  const total = (
    field: 'cpuUsageNanoSeconds' | 'memoryUsageBytes' | 'memoryWorkingSetBytes' | 'memoryRssBytes' | 'pageFaults' | 'majorPageFaults',
  ): number => r.containers.reduce((sum, c) => sum + c.stats[field], 0);
  const cpuNanos = r.whole?.cpuNanos ?? total('cpuUsageNanoSeconds');
  const workingSetBytes = r.whole?.workingSetBytes ?? total('memoryWorkingSetBytes');
  const sinceMs = Date.parse(status.startTime ?? '') || o.nowMs;
  const pid = r.containers[0]?.status.pid;
  const interfaces = isHostNetwork(r.pod) || pid === undefined ? [] : await readNetwork(pid);
  const { disk } = o;
  const bytes = disk === undefined ? 0 : disk.bytes.writable + disk.bytes.logs + disk.bytes.volumes;
  return {
    podRef: { name: metadata.name, namespace: metadata.namespace, uid: metadata.uid },
    startTime: status.startTime ?? null,
    containers: r.containers.map((c) => containerSummary(c, { disk, images: o.images, logs: o.node, rates: o.rates })),
    cpu: {
      time: time(o.nowMs),
      usageNanoCores: o.rates.rate(metadata.uid, { atMs: o.nowMs, nanos: cpuNanos, sinceMs }),
      usageCoreNanoSeconds: cpuNanos,
    },
    memory: {
      time: time(o.nowMs),
      ...(r.whole?.memoryLimitBytes === undefined ? {} : { availableBytes: Math.max(0, r.whole.memoryLimitBytes - workingSetBytes) }),
      usageBytes: r.whole?.memoryUsageBytes ?? total('memoryUsageBytes'),
      workingSetBytes,
      rssBytes: r.whole?.rssBytes ?? total('memoryRssBytes'),
      pageFaults: r.whole?.pageFaults ?? total('pageFaults'),
      majorPageFaults: r.whole?.majorPageFaults ?? total('majorPageFaults'),
    },
    ...(isHostNetwork(r.pod) ? {} : { network: network(o.nowMs, interfaces, interfaces.find((i) => i.name === 'eth0') ?? interfaces[0]) }),
    ...(disk === undefined
      ? {}
      : {
          volume: [
            ...[...disk.volumes].map(([name, v]) => ({ name, ...fs(disk.atMs, o.node, { bytes: v.bytes, inodes: v.inodes }) })),
            ...claimVolumes(r.pod, o.claims),
          ],
          'ephemeral-storage': fs(disk.atMs, o.node, { bytes }),
        }),
    ...(r.whole === undefined ? {} : { process_stats: { process_count: r.whole.processes } }),
    ...(r.whole === undefined ? {} : { swap: { time: time(o.nowMs), swapUsageBytes: r.whole.swapBytes } }),
  };
}

/** The pod's volumes that belong to claims. */
function claimVolumes(pod: PodReading['pod'], claims: readonly ClaimStats[]): readonly object[] {
  const { uid, name: podName } = pod.metadata;
  return (pod.spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    const claimName = persistentVolumeClaim?.claimName ?? (ephemeral === undefined ? undefined : `${podName}-${name}`);
    const found = claims.find((c) => c.podUid === uid && c.claimName === claimName);
    if (found === undefined) return [];
    const { namespace, atMs, usedBytes, inodesUsed } = found;
    return [{ name, pvcRef: { name: found.claimName, namespace }, ...fs(atMs, found, { bytes: usedBytes, inodes: inodesUsed }) }];
  });
}

/** stats.k8s.io's Summary. `onlyCpuAndMemory` leaves out what has to be walked for on disks. */
export async function renderSummary(
  parts: KubeletParts,
  o: { readonly onlyCpuAndMemory: boolean; readonly rates: CpuRates },
): Promise<object> {
  const { context, stats } = parts;
  const nowMs = context.clock.now();
  const [pods, usage, machine, interfaces, main] = await Promise.all([
    stats.pods(),
    stats.node(),
    readNodeCpuNanos(),
    readNetwork('self'),
    defaultInterface(),
  ]);
  const claims = o.onlyCpuAndMemory ? [] : await parts.claimStats();
  const disks = o.onlyCpuAndMemory ? undefined : await stats.disks({ maxAgeMs: diskAgeMs });
  const node = diskOf(usage);
  const images: Disk = usage.imageFs ?? node;
  const { memoryCapacityBytes: capacity, memoryAvailableBytes: availableBytes } = usage.machine;
  const summary = {
    node: {
      nodeName: context.node.name,
      startTime: time(nowMs - machine.uptimeMs),
      cpu: {
        time: time(nowMs),
        usageNanoCores: o.rates.rate('/', { atMs: nowMs, nanos: machine.cpuNanos, sinceMs: nowMs - machine.uptimeMs }),
        usageCoreNanoSeconds: machine.cpuNanos,
      },
      memory: { time: time(nowMs), availableBytes, usageBytes: capacity - availableBytes, workingSetBytes: capacity - availableBytes },
      ...(o.onlyCpuAndMemory
        ? {}
        : {
            network: network(
              nowMs,
              interfaces,
              interfaces.find((i) => i.name === main),
            ),
            fs: fs(nowMs, node, { bytes: node.capacityBytes - usage.machine.diskFreeBytes, inodes: node.inodes - node.inodesFree }),
            runtime: Object.fromEntries(
              ['imageFs', 'containerFs'].map((name) => [
                name,
                fs(nowMs, images, { bytes: usage.imageFs?.usedBytes ?? 0, inodes: images.inodes - images.inodesFree }),
              ]),
            ),
          }),
      rlimit: { time: time(nowMs), maxpid: usage.machine.pidsMax, curproc: usage.machine.pidsUsed },
    },
    pods: await Promise.all(
      pods.map((r) => podSummary(r, { disk: disks?.get(r.pod.metadata.uid), node, images, claims, rates: o.rates, nowMs })),
    ),
  };
  o.rates.sweep();
  return summary;
}

/** CPU time of the whole machine and how long it is up. */
export async function readNodeCpuNanos(): Promise<{ cpuNanos: number; uptimeMs: number }> {
  const [stat, uptime] = await Promise.all([readFile('/proc/stat', 'utf8'), readFile('/proc/uptime', 'utf8')]);
  const ticks = (/^cpu\s+(.*)$/m.exec(stat)?.[1] ?? '').split(/\s+/).map(Number);
  // user, nice, system, irq, softirq, steal; a tick is 10 ms.
  const busy = [0, 1, 2, 5, 6, 7].reduce((sum, i) => sum + (ticks[i] ?? 0), 0);
  return { cpuNanos: busy * 10_000_000, uptimeMs: Number(uptime.split(' ')[0]) * 1000 };
}
