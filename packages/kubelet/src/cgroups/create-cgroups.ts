import os from 'node:os';
import type { Clock, Logger } from '@skiff/component-base';
import type { RuntimeStatus } from '@skiff/cri';
import type { KubeletConfig } from '../config/kubelet-config.ts';
import type { HostMount } from '../host/host-mount.ts';
import { runCommand } from '../host/run-command.ts';
import type { MachineUsage } from '../node/machine.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import { createCgroupDriver } from './cgroup-driver.ts';
import { createNodeCgroups, type NodeCgroups } from './node-cgroups.ts';
import { createPodCgroups, type PodCgroups } from './pod-cgroups.ts';
import type { LimitFacts } from './resources.ts';

/** The tree of cgroups below the node's root: all pods, their classes, the pods. */
export function createCgroups(
  config: Pick<KubeletConfig, 'cgroupRoot' | 'nodeAllocatable' | 'podMaxPids' | 'limitedSwap' | 'singleProcessOomKill'>,
  deps: {
    readonly status: Pick<RuntimeStatus, 'cgroupVersion' | 'cgroupDriver'>;
    readonly usage: MachineUsage;
    readonly hostMount: HostMount;
    readonly pods: () => readonly PodSnapshot[];
    readonly event: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
    readonly clock: Clock;
    readonly log: Logger;
  },
): { readonly pods: PodCgroups; readonly node: NodeCgroups; readonly facts: NonNullable<LimitFacts['cgroups']> } {
  const { status, usage, clock, log } = deps;
  const driver = createCgroupDriver(
    { version: status.cgroupVersion, driver: status.cgroupDriver },
    { hostMount: deps.hostMount, run: runCommand },
  );
  const root = [...config.cgroupRoot.split('/').filter((p) => p !== ''), 'kubepods'];
  const pageSizes = [...usage.hugePages.keys()];
  const swap = config.limitedSwap && status.cgroupVersion === 2;
  if (config.limitedSwap && !swap) log.warn('swap for pods (LimitedSwap) needs cgroup v2: no pod swaps');
  const node = createNodeCgroups(
    { root, ...config.nodeAllocatable },
    {
      driver,
      capacity: { cpuCount: os.cpus().length, memoryBytes: usage.memoryCapacityBytes, pids: usage.pidsMax },
      pods: deps.pods,
      event: deps.event,
      clock,
      log,
    },
  );
  // With systemd the slices of all instances were named `kubepods-…` once.
  const formerRoot = status.cgroupDriver === 'systemd' && root.length > 1 ? ['kubepods'] : undefined;
  const pods = createPodCgroups(
    {
      root,
      pageSizes,
      swap,
      ...(formerRoot === undefined ? {} : { formerRoot }),
      ...(config.podMaxPids > 0 ? { podMaxPids: config.podMaxPids } : {}),
    },
    { driver, onPod: (pod) => node.follow(pod) },
  );
  return {
    node,
    pods,
    facts: {
      version: status.cgroupVersion,
      pageSizes,
      swapBytes: swap ? usage.swapBytes : 0,
      singleProcessOomKill: config.singleProcessOomKill ?? status.cgroupVersion === 1,
    },
  };
}
