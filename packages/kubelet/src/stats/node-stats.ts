import type { Clock } from '@skiff/component-base';
import type { ContainerRuntime } from '@skiff/cri';
import type { HostMount } from '../host/host-mount.ts';
import { inTime } from '../host/in-time.ts';
import type { RunCommand } from '../host/run-command.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import type { CgroupDetails } from './cgroup-details.ts';
import { createCgroupReader } from './cgroup-reader.ts';
import { createDiskMeter, type PodDisk } from './disk-meter.ts';
import { type NodeUsage, readNodeUsage } from './node-usage.ts';
import { createPodStatsReader, type PodReading, type RunningPod, usageOf } from './pod-stats.ts';
import type { PodUsage } from './pod-usage.ts';

/** What pods and the node take, read when somebody asks. */
export interface NodeStats {
  node(): Promise<NodeUsage>;
  /** CPU and memory of all running pods. */
  pods(): Promise<readonly PodReading[]>;
  /** What `pods` leaves out. */
  details(containerId: string, of: 'container' | 'pod'): Promise<CgroupDetails | undefined>;
  /** Disk use of the pods that run, not older than `maxAgeMs`, by UID. */
  disks(o: { readonly maxAgeMs: number }): Promise<ReadonlyMap<string, PodDisk>>;
  /** For decisions about these pods: measured now. */
  measure(pods: readonly PodSnapshot[], what: { readonly disk: boolean; readonly inodes: boolean }): Promise<ReadonlyMap<string, PodUsage>>;
}

/** Memory is watched also while the engine hangs. */
const enginePatienceMs = 2_000;

export function createNodeStats(
  config: { readonly rootDirectory: string; readonly cgroupVersion: 1 | 2 },
  deps: {
    readonly runtime: ContainerRuntime;
    readonly hostMount: HostMount;
    readonly run: RunCommand;
    readonly clock: Clock;
    readonly running: () => readonly RunningPod[];
  },
): NodeStats {
  const { runtime, images } = deps.runtime;
  const { hostMount, clock } = deps;
  const now = (): number => clock.now();
  const reader = createPodStatsReader({
    cgroups: createCgroupReader({ version: config.cgroupVersion, local: hostMount.local }),
    runtime,
    now,
  });
  const meter = createDiskMeter({ rootDirectory: config.rootDirectory }, { runtime, hostMount, run: deps.run, now });
  const measured = new Map<string, PodDisk>();
  let measuring: Promise<void> = Promise.resolve();

  const forgetGone = (): void => {
    const running = deps.running();
    const present = new Set(running.map((r) => r.pod.metadata.uid));
    reader.keepOnly(new Set(running.flatMap((r) => r.observed.containers.map((c) => c.id))));
    for (const uid of measured.keys()) if (!present.has(uid)) measured.delete(uid);
  };
  /** Pods one after the other, and one round at a time: walking files is for the times when nobody else wants the disk. */
  const measureDisks = (pods: readonly RunningPod[], o: { inodes: boolean; maxAgeMs: number }): Promise<void> => {
    const round = async (): Promise<void> => {
      forgetGone();
      for (const { pod, observed } of pods) {
        const last = measured.get(pod.metadata.uid);
        if (last !== undefined && clock.now() - last.atMs <= o.maxAgeMs && (!o.inodes || last.inodes !== undefined)) continue;
        measured.set(pod.metadata.uid, await meter(pod, observed.containers, { inodes: o.inodes }));
      }
    };
    const mine = measuring.then(round);
    measuring = mine.catch(() => undefined);
    return mine;
  };

  return {
    node: () =>
      readNodeUsage(
        { rootDirectory: config.rootDirectory, local: hostMount.local },
        { imageFilesystem: () => inTime(images.imageFilesystem(), { what: 'image filesystem', patienceMs: enginePatienceMs, clock }) },
      ),
    pods: () => {
      forgetGone();
      return reader.read(deps.running());
    },
    details: (id, of) => reader.details(id, of),
    disks: async (o) => {
      await measureDisks(deps.running(), { inodes: false, maxAgeMs: o.maxAgeMs });
      return measured;
    },
    measure: async (pods, what) => {
      const wanted = new Set(pods.map((p) => p.metadata.uid));
      const running = deps.running().filter((r) => wanted.has(r.pod.metadata.uid));
      if (what.disk) await measureDisks(running, { inodes: what.inodes, maxAgeMs: -1 });
      const readings = await reader.read(running);
      return new Map(readings.map((r) => [r.pod.metadata.uid, usageOf(r, what.disk ? measured.get(r.pod.metadata.uid) : undefined)]));
    },
  };
}
