import { computePodQOSClass } from '@skiff/api';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import type { CgroupDriver, CgroupPath } from './cgroup-driver.ts';
import { computePodLimits } from './resources.ts';

export interface PodCgroups {
  /** Makes the pod's cgroup with its limits. Returns what the runtime is to take as the containers' parent. */
  ensure(pod: PodSnapshot): Promise<string>;
  /** Removes the cgroups of a pod, whatever its class was. They must be empty. */
  remove(podUid: string): Promise<void>;
  /** UIDs that have a cgroup with nothing in it. Others below the same root (another kubelet's) may be about to end, or may not. */
  listIdle(): Promise<readonly string[]>;
}

export interface PodCgroupConfig {
  /** The cgroup of all pods. */
  readonly root: CgroupPath;
  /** Where earlier versions kept pods: what runs there stays there, with all that the pod has, until its sandbox ends. */
  readonly formerRoot?: CgroupPath;
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
  const roots = [config.root, ...(config.formerRoot === undefined ? [] : [config.formerRoot])];
  const podPath = (root: CgroupPath, qos: CgroupPath, uid: string): CgroupPath => [...root, ...qos, `pod${uid}`];
  /** Processes can't be moved: limits count only where a pod's containers are. */
  const pathOf = async (pod: PodSnapshot): Promise<CgroupPath> => {
    const [qos, { uid }] = [qosPath(pod), pod.metadata];
    const former = config.formerRoot === undefined ? undefined : podPath(config.formerRoot, qos, uid);
    return former !== undefined && (await driver.isBusy(former)) ? former : podPath(config.root, qos, uid);
  };
  return {
    ensure: async (pod) => {
      const cgroup = await pathOf(pod);
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
      for (const root of roots) {
        for (const qos of classes) {
          const cgroup = podPath(root, qos, podUid);
          if (await driver.exists(cgroup)) await driver.remove(cgroup);
        }
      }
    },
    listIdle: async () => {
      const idle = new Set<string>();
      const busy = new Set<string>();
      for (const qos of classes) {
        for (const name of await driver.children([...config.root, ...qos])) {
          if (name.startsWith('pod')) ((await driver.isBusy([...config.root, ...qos, name])) ? busy : idle).add(name.slice(3));
        }
      }
      return [...idle].filter((uid) => !busy.has(uid));
    },
  };
}
