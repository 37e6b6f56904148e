import { computePodQOSClass } from '@skiff/api';
import { quantityMilliValue } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';
import { podRequest } from '../pod/resource-fit.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import type { CgroupDriver, CgroupPath } from './cgroup-driver.ts';
import type { CgroupLimits } from './limits.ts';
import { milliCpuToShares } from './resources.ts';

/** What is enforced beside the limits of single pods (Node Allocatable). */
export type Enforcement = 'pods' | 'system-reserved' | 'kube-reserved' | 'system-reserved-compressible' | 'kube-reserved-compressible';

export interface NodeCgroupConfig {
  /** The cgroup of all pods. */
  readonly root: CgroupPath;
  readonly enforce: ReadonlySet<Enforcement>;
  /** Resource → amount: cpu, memory, pid, hugepages-…. */
  readonly systemReserved: Readonly<Record<string, string>>;
  readonly kubeReserved: Readonly<Record<string, string>>;
  /** Cgroups that exist; their limits are the reservations. */
  readonly systemReservedCgroup: string;
  readonly kubeReservedCgroup: string;
}

/** What the machine has. */
export interface NodeCapacity {
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly pids: number;
}

export interface NodeCgroups {
  /** The classes' CPU follows their pods; `coming`: one that is about to start. */
  follow(coming?: PodSnapshot): Promise<void>;
  /** Sets what holds for all pods together, and follows them. */
  run(signal: AbortSignal): Promise<void>;
}

/** Upstream's. */
const followMs = 60_000;
const retryMs = 60_000;
const leastShares = 2;

const amount = (list: Readonly<Record<string, string>>, name: string): number => quantityMilliValue(list[name] ?? '0') / 1000;

/** The limits of all pods together: the whole machine, or what is not reserved of it. */
export function allPodsLimits(c: NodeCapacity, o: Pick<NodeCgroupConfig, 'enforce' | 'systemReserved' | 'kubeReserved'>): CgroupLimits {
  const left = (name: string, whole: number): number =>
    o.enforce.has('pods') ? Math.max(0, whole - amount(o.systemReserved, name) - amount(o.kubeReserved, name)) : whole;
  return {
    cpuShares: milliCpuToShares(left('cpu', c.cpuCount) * 1000),
    memoryBytes: Math.floor(left('memory', c.memoryBytes)),
    pids: Math.floor(left('pid', c.pids)),
  };
}

/** A reservation as the limits of the cgroup that it is for; `compressible`: only what nobody is killed for. */
export function reservedLimits(reserved: Readonly<Record<string, string>>, compressible: boolean): CgroupLimits {
  const has = (name: string): boolean => reserved[name] !== undefined;
  return {
    ...(has('cpu') ? { cpuShares: milliCpuToShares(amount(reserved, 'cpu') * 1000) } : {}),
    ...(has('memory') && !compressible ? { memoryBytes: Math.floor(amount(reserved, 'memory')) } : {}),
    ...(has('pid') && !compressible ? { pids: Math.floor(amount(reserved, 'pid')) } : {}),
  };
}

export function createNodeCgroups(
  config: NodeCgroupConfig,
  deps: {
    readonly driver: CgroupDriver;
    readonly capacity: NodeCapacity;
    /** Those that take room on the node. */
    readonly pods: () => readonly PodSnapshot[];
    readonly event: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
    readonly clock: Clock;
    readonly log: Logger;
  },
): NodeCgroups {
  const { driver, clock, log } = deps;
  let burstableShares: number | undefined;
  let made: Promise<void> | undefined;

  const makeClasses = async (): Promise<void> => {
    await driver.set(config.root, {});
    await driver.set([...config.root, 'besteffort'], { cpuShares: leastShares });
  };
  const follow = async (coming?: PodSnapshot): Promise<void> => {
    made ??= makeClasses().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    await made;
    const all = new Map(deps.pods().map((p) => [p.metadata.uid, p]));
    if (coming !== undefined) all.set(coming.metadata.uid, coming);
    const milli = [...all.values()]
      .filter((p) => (p.status.qosClass ?? computePodQOSClass(p.spec)) === 'Burstable')
      .reduce((sum, p) => sum + podRequest(p, 'cpu'), 0);
    const shares = milliCpuToShares(milli);
    if (shares === burstableShares) return;
    await driver.set([...config.root, 'burstable'], { cpuShares: shares });
    burstableShares = shares;
  };

  const reservations = [
    { key: 'system-reserved', label: 'System Reserved', cgroup: config.systemReservedCgroup, reserved: config.systemReserved },
    { key: 'kube-reserved', label: 'Kube Reserved', cgroup: config.kubeReservedCgroup, reserved: config.kubeReserved },
  ] as const;
  const enforceReserved = async ({ key, label, cgroup, reserved }: (typeof reservations)[number]): Promise<void> => {
    const compressible = config.enforce.has(`${key}-compressible`);
    if (!compressible && !config.enforce.has(key)) return;
    const at = driver.pathOf(cgroup);
    if (!(await driver.exists(at))) throw new Error(`Failed to enforce ${label} Cgroup Limits on "${cgroup}": the cgroup does not exist`);
    await driver.set(at, reservedLimits(reserved, compressible));
    deps.event('Normal', 'NodeAllocatableEnforced', `Updated limits on ${label.toLowerCase()} cgroup ${cgroup}`);
  };
  const enforce = async (): Promise<void> => {
    await driver.set(config.root, allPodsLimits(deps.capacity, config));
    if (config.enforce.has('pods')) deps.event('Normal', 'NodeAllocatableEnforced', 'Updated Node Allocatable limit across pods');
  };

  /** What runs may be more than what it is to have; evictions bring it down. */
  const untilDone = async (what: () => Promise<void>, signal: AbortSignal): Promise<void> => {
    for (;;) {
      try {
        await what();
        return;
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error }, 'limits for all pods together, or what is reserved, could not be set; trying again');
        deps.event('Warning', 'FailedNodeAllocatableEnforcement', (error as Error).message);
        await clock.sleep(retryMs, signal).catch(() => undefined);
        if (signal.aborted) return;
      }
    }
  };
  const keepFollowing = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await follow().catch((error: unknown) => log.warn({ err: error }, 'the CPU weight of burstable pods could not be set'));
      await clock.sleep(followMs, signal).catch(() => undefined);
    }
  };
  return {
    follow,
    run: async (signal) => {
      const reserved = reservations.map((r) => untilDone(() => enforceReserved(r), signal));
      await Promise.all([untilDone(enforce, signal), ...reserved, keepFollowing(signal)]);
    },
  };
}
