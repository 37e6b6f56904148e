import type { ContainerStats, ContainerStatus, RuntimeService } from '@skiff/cri';
import { newestContainer, type ObservedPod } from '../actions/observed-pod.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import type { CgroupDetails } from './cgroup-details.ts';
import { type CgroupReader, type CgroupReading, type CgroupPaths, parentOf } from './cgroup-reader.ts';
import type { PodDisk } from './disk-meter.ts';
import type { PodUsage } from './pod-usage.ts';

export interface RunningPod {
  readonly pod: PodSnapshot;
  readonly observed: ObservedPod;
}

export interface ContainerReading {
  readonly status: ContainerStatus;
  readonly stats: ContainerStats;
  readonly memoryLimitBytes?: number;
  readonly swapBytes?: number;
}

/** CPU, memory and processes of one pod at one moment. */
export interface PodReading extends RunningPod {
  readonly containers: readonly ContainerReading[];
  /** The pod's cgroup as a whole, its sandbox included; undefined where only the engine could be asked. */
  readonly whole: CgroupReading | undefined;
}

export interface PodStatsReader {
  read(pods: readonly RunningPod[]): Promise<readonly PodReading[]>;
  /** Of a container that was read, or of the pod that it is in; undefined where its cgroup can't be seen. */
  details(containerId: string, of: 'container' | 'pod'): Promise<CgroupDetails | undefined>;
  /** Forgets all containers but these. */
  keepOnly(containerIds: ReadonlySet<string>): void;
}

const asStats = (status: ContainerStatus, r: CgroupReading, timestampMs: number): ContainerStats => ({
  id: status.id,
  name: status.metadata.name,
  timestampMs,
  cpuUsageNanoSeconds: r.cpuNanos,
  memoryUsageBytes: r.memoryUsageBytes,
  memoryWorkingSetBytes: r.workingSetBytes,
  memoryRssBytes: r.rssBytes,
  pageFaults: r.pageFaults,
  majorPageFaults: r.majorPageFaults,
});

/** Reads cgroups straight from the kernel, and asks the engine only where they can't be seen. */
export function createPodStatsReader(deps: { cgroups: CgroupReader; runtime: RuntimeService; now: () => number }): PodStatsReader {
  const { cgroups, runtime } = deps;
  /** By container ID; a container's cgroup never changes. */
  const known = new Map<string, CgroupPaths>();

  const pathsOf = async (c: ContainerStatus): Promise<CgroupPaths | undefined> => {
    const present = known.get(c.id);
    if (present !== undefined || c.pid === undefined) return present;
    const found = await cgroups.pathsOf(c.pid);
    if (found !== undefined) known.set(c.id, found);
    return found;
  };
  const readContainer = async (status: ContainerStatus): Promise<ContainerReading | undefined> => {
    const paths = await pathsOf(status);
    const reading = paths === undefined ? undefined : await cgroups.read(paths);
    if (reading !== undefined)
      return {
        status,
        stats: asStats(status, reading, deps.now()),
        swapBytes: reading.swapBytes,
        ...(reading.memoryLimitBytes === undefined ? {} : { memoryLimitBytes: reading.memoryLimitBytes }),
      };
    // It may have ended just now.
    if (paths !== undefined) return undefined;
    const stats = await runtime.containerStats(status.id).catch(() => undefined);
    return stats === undefined ? undefined : { status, stats: { ...stats, name: status.metadata.name } };
  };

  return {
    read: async (pods) => {
      const out: PodReading[] = [];
      // One pod after the other: nobody waits for this so much that everything should be asked at once.
      for (const { pod, observed } of pods) {
        const running = observed.containers.filter((c) => c.state === 'running' && newestContainer(observed, c.metadata.name)?.id === c.id);
        const containers = (await Promise.all(running.map(readContainer))).filter((c) => c !== undefined);
        const paths = running[0] === undefined ? undefined : known.get(running[0].id);
        out.push({ pod, observed, containers, whole: paths === undefined ? undefined : await cgroups.read(parentOf(paths)) });
      }
      return out;
    },
    details: async (id, of) => {
      const paths = known.get(id);
      return paths === undefined ? undefined : cgroups.details(of === 'pod' ? parentOf(paths) : paths);
    },
    keepOnly: (ids) => {
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    },
  };
}

/** The same in the form that decisions about pods need. */
export function usageOf(r: PodReading, disk: PodDisk | undefined): PodUsage {
  const memory = r.containers.reduce((sum, c) => sum + c.stats.memoryWorkingSetBytes, 0);
  const names = new Set([...r.containers.map((c) => c.status.metadata.name), ...(disk?.containers.keys() ?? [])]);
  return {
    memoryBytes: r.whole?.workingSetBytes ?? memory,
    processes: r.whole?.processes ?? 0,
    containers: new Map(
      [...names].map((name) => {
        const d = disk?.containers.get(name);
        const memoryBytes = r.containers.find((c) => c.status.metadata.name === name)?.stats.memoryWorkingSetBytes ?? 0;
        return [name, { memoryBytes, ...(d === undefined ? {} : { diskBytes: d.writableBytes + d.logBytes, logBytes: d.logBytes }) }];
      }),
    ),
    ...(disk === undefined ? {} : { disk: disk.bytes }),
    ...(disk?.inodes === undefined ? {} : { inodes: disk.inodes }),
    volumes: new Map([...(disk?.volumes ?? [])].map(([name, v]) => [name, v.bytes])),
  };
}
