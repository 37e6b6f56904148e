import path from 'node:path';
import type { EventRecorder } from '@skiff/client';
import type { Clock, Logger } from '@skiff/component-base';
import type { ContainerRuntime, RuntimeService, RuntimeStatus, RuntimeVersion } from '@skiff/cri';
import type { KubeletConfig } from './config/kubelet-config.ts';
import { createEvictionManager, type EvictionManager } from './eviction/eviction-manager.ts';
import { createDeviceManager, type DeviceManager } from './devices/device-manager.ts';
import { serveRegistration } from './devices/registration-socket.ts';
import type { HostMount } from './host/host-mount.ts';
import { runCommand } from './host/run-command.ts';
import { createImageGarbage, type ImageGarbage } from './images/image-gc.ts';
import type { PullRecords } from './images/pull-records.ts';
import type { KubeletMetrics } from './metrics/kubelet-metrics.ts';
import { amountOf, isHard, type Signal } from './eviction/signals.ts';
import { computeNodeResources, type MachineUsage, type NodeResources } from './node/machine.ts';
import { nodeReference } from './node/node-reporter.ts';
import { imagesInUse, removeDeadContainers } from './pod/dead-containers.ts';
import type { PodWorker } from './pod/pod-worker.ts';
import { createShutdownSource } from './shutdown/logind.ts';
import { createNodeShutdown, type NodeShutdown } from './shutdown/node-shutdown.ts';
import { totalSeconds } from './shutdown/shutdown-plan.ts';
import { createNodeStats, type NodeStats } from './stats/node-stats.ts';

/** What watches over the node as a whole: its figures, its room, its end. */
export interface NodeGuards {
  readonly stats: NodeStats;
  readonly garbage: ImageGarbage;
  readonly eviction: EvictionManager;
  readonly shutdown: NodeShutdown;
  readonly devices: DeviceManager;
  /** Everything of these that runs, with its name. */
  readonly loops: readonly (readonly [string, (s: AbortSignal) => Promise<void>])[];
}

/** How often upstream looks at the images. */
const imageGarbageIntervalMs = 300_000;

/** The runtime may come later than the kubelet. Throws only when `signal` aborts. */
export async function waitForRuntime(
  deps: { readonly runtime: RuntimeService; readonly clock: Clock; readonly log: Logger },
  signal: AbortSignal,
): Promise<{ status: RuntimeStatus; version: RuntimeVersion }> {
  const { runtime, clock, log } = deps;
  for (let delayMs = 100; ; delayMs = Math.min(delayMs * 2, 5000)) {
    try {
      return { status: await runtime.status(), version: await runtime.version() };
    } catch (error) {
      signal.throwIfAborted();
      log.error({ err: error }, 'the container runtime does not answer; trying again');
      await clock.sleep(delayMs, signal);
    }
  }
}

/** What pods can have of a machine, by the configuration's reservations and thresholds. */
export function nodeResourcesOf(
  config: Pick<KubeletConfig, 'eviction' | 'maxPods' | 'nodeAllocatable'>,
): (usage: MachineUsage) => NodeResources {
  const hardLimit = (signal: Signal, capacity: number): number => {
    const threshold = config.eviction.thresholds.find((t) => t.signal === signal && isHard(t));
    return threshold === undefined ? 0 : amountOf(threshold.value, capacity);
  };
  return (u) =>
    computeNodeResources(u, {
      maxPods: config.maxPods,
      reserved: [config.nodeAllocatable.systemReserved, config.nodeAllocatable.kubeReserved],
      evictionMemoryBytes: hardLimit('memory.available', u.memoryCapacityBytes),
      evictionDiskBytes: hardLimit('nodefs.available', u.diskCapacityBytes),
    });
}

export function createNodeGuards(
  config: KubeletConfig,
  deps: {
    readonly runtime: ContainerRuntime;
    readonly cgroupVersion: 1 | 2;
    readonly hostMount: HostMount;
    readonly workers: () => readonly PodWorker[];
    readonly pullRecords: PullRecords;
    /** IDs of images that pods mount. */
    readonly volumeImages: () => readonly string[];
    readonly metrics: KubeletMetrics;
    readonly events: EventRecorder;
    /** The node's conditions may be others now. */
    readonly onChange: () => void;
    readonly clock: Clock;
    readonly log: Logger;
  },
): NodeGuards {
  const { clock, log, events, workers, onChange } = deps;
  const { runtime, images } = deps.runtime;
  const stats = createNodeStats(
    { rootDirectory: config.rootDirectory, cgroupVersion: deps.cgroupVersion },
    { runtime: deps.runtime, hostMount: deps.hostMount, run: runCommand, clock, running: workers },
  );
  const garbage = createImageGarbage(
    { file: path.join(config.rootDirectory, 'pulled-images.json'), ...config.imageGarbage },
    { images, clock, log },
  );
  const inUse = async (): Promise<ReadonlySet<string>> => new Set([...(await imagesInUse(runtime)), ...deps.volumeImages()]);
  const eviction = createEvictionManager(config.eviction, {
    usage: () => stats.node(),
    workers,
    measure: (list, what) => stats.measure(list, what),
    reclaimDisk: async () => {
      await removeDeadContainers(workers(), { runtime, log });
      await garbage.reclaim(await inUse());
    },
    event: (pod, message, annotations) => events.event(pod, 'Warning', 'Evicted', message, { annotations }),
    nodeEvent: (reason, message) => events.event(nodeReference(config.nodeName), 'Warning', reason, message),
    onChange,
    evicted: (signal) => deps.metrics.evicted(signal),
    clock,
    log,
  });
  const shutdown = createNodeShutdown(
    { graces: config.shutdownGraces },
    {
      source: createShutdownSource({ graceSeconds: totalSeconds(config.shutdownGraces) }, { run: runCommand, log }),
      workers,
      onChange,
      clock,
      log,
    },
  );
  const collectImages = async (s: AbortSignal): Promise<void> => {
    while (!s.aborted) {
      await clock.sleep(imageGarbageIntervalMs, s).catch(() => undefined);
      if (s.aborted) return;
      deps.metrics.imagesRemoved(await garbage.collect(await inUse()));
      await deps.pullRecords.forgetGone(async () => new Set((await images.listImages()).map((i) => i.id)));
    }
  };
  const directory = config.devicePluginDirectory;
  const onDevices = (podUids: readonly string[]): void => {
    onChange();
    for (const w of workers()) if (podUids.includes(w.pod.metadata.uid)) w.poke();
  };
  const devices = createDeviceManager(
    { directory, stateDirectory: config.rootDirectory },
    { connect: async (socket) => (await import('./devices/plugin-grpc.ts')).createPluginClient(socket), onChange: onDevices, clock, log },
  );
  return {
    stats,
    garbage,
    eviction,
    shutdown,
    devices,
    loops: [
      ['image garbage', collectImages],
      ['eviction', (s) => eviction.run(s)],
      ['node shutdown', (s) => shutdown.run(s)],
      ['devices', (s) => devices.run(s)],
      ['device plugins', (s) => serveRegistration(directory, { register: devices.register, log }, s)],
    ],
  };
}
