import path from 'node:path';
import type { EventRecorder } from '@skiff/client';
import type { Clock, Logger } from '@skiff/component-base';
import type { ContainerRuntime } from '@skiff/cri';
import type { KubeletConfig } from './config/kubelet-config.ts';
import { createEvictionManager, type EvictionManager } from './eviction/eviction-manager.ts';
import type { HostMount } from './host/host-mount.ts';
import { runCommand } from './host/run-command.ts';
import { createImageGarbage, type ImageGarbage } from './images/image-gc.ts';
import type { KubeletMetrics } from './metrics/kubelet-metrics.ts';
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
}

export function createNodeGuards(
  config: KubeletConfig,
  deps: {
    readonly runtime: ContainerRuntime;
    readonly cgroupVersion: 1 | 2;
    readonly hostMount: HostMount;
    readonly workers: () => readonly PodWorker[];
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
  const eviction = createEvictionManager(config.eviction, {
    usage: () => stats.node(),
    workers,
    measure: (list, what) => stats.measure(list, what),
    reclaimDisk: async () => {
      await removeDeadContainers(workers(), runtime);
      await garbage.reclaim(await imagesInUse(runtime));
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
  return { stats, garbage, eviction, shutdown };
}
