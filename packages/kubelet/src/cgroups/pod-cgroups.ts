import { computePodQOSClass } from '@skiff/api';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import type { CgroupDriver, CgroupPath } from './cgroup-driver.ts';
import { computePodLimits } from './resources.ts';

export interface PodCgroups {
  /** Makes the pod's cgroup with its limits. Returns what the runtime is to take as the containers' parent. */
  ensure(pod: PodSnapshot): Promise<string>;
  /** Removes the cgroups of a pod, whatever its class was. They must be empty. */
  remove(podUid: string): Promise<void>;
  /** UIDs that have a cgroup. */
  list(): Promise<readonly string[]>;
}

export interface PodCgroupConfig {
  /** The cgroup of all pods. */
  readonly root: CgroupPath;
  /** Processes that a pod may have; absent: no limit. */
  readonly podMaxPids?: number;
  /** Sizes of huge pages that the machine has, bytes. */
  readonly pageSizes: readonly number[];
  /** Containers may swap, by limits of their own; else the pod may not. */
  readonly swap: boolean;
}

const classes = [[], ['burstable'], ['besteffort']] as const;

/** Where pods of a class are, below the cgroup of all pods. */
export function qosPath(pod: PodSnapshot): CgroupPath {
  const qos = pod.status.qosClass ?? computePodQOSClass(pod.spec);
  return qos === 'Guaranteed' ? [] : [qos.toLowerCase()];
}

export function createPodCgroups(
  config: PodCgroupConfig,
  deps: { readonly driver: CgroupDriver /** A pod is about to have a cgroup. */; readonly onPod: (pod: PodSnapshot) => Promise<void> },
): PodCgroups {
  const { driver } = deps;
  const podPath = (qos: CgroupPath, uid: string): CgroupPath => [...config.root, ...qos, `pod${uid}`];
  return {
    ensure: async (pod) => {
      const cgroup = podPath(qosPath(pod), pod.metadata.uid);
      const limits = computePodLimits(pod);
      await deps.onPod(pod);
      await driver.set(cgroup, {
        cpuShares: limits.cpuShares,
        cpuQuotaMicros: limits.cpuQuotaMicros ?? Number.POSITIVE_INFINITY,
        memoryBytes: limits.memoryBytes ?? Number.POSITIVE_INFINITY,
        ...(config.swap ? {} : { swapBytes: 0 }),
        ...(config.podMaxPids === undefined ? {} : { pids: config.podMaxPids }),
        hugePages: new Map(config.pageSizes.map((size) => [size, limits.hugePages.get(size) ?? 0])),
      });
      return driver.parentName(cgroup);
    },
    remove: async (podUid) => {
      for (const qos of classes) if (await driver.exists(podPath(qos, podUid))) await driver.remove(podPath(qos, podUid));
    },
    list: async () => {
      const found = await Promise.all(classes.map((qos) => driver.children([...config.root, ...qos])));
      return [...new Set(found.flat().flatMap((name) => (name.startsWith('pod') ? [name.slice(3)] : [])))];
    },
  };
}
