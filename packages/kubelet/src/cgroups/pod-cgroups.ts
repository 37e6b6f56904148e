import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { computePodQOSClass } from '@skiff/api';
import type { HostMount } from '../host/host-mount.ts';
import type { RunCommand } from '../host/run-command.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import { computePodLimits, type PodCgroupLimits } from './resources.ts';

export interface PodCgroups {
  /** Makes the pod's cgroup with its limits. Returns what the runtime is to take as the containers' parent. */
  ensure(pod: PodSnapshot): Promise<string>;
  /** Removes the cgroups of a pod, whatever its class was. They must be empty. */
  remove(podUid: string): Promise<void>;
  /** UIDs that have a cgroup. */
  list(): Promise<readonly string[]>;
}

export interface CgroupConfig {
  /** Below which everything of this instance lives: `/` or `/name`. */
  readonly root: string;
  readonly version: 1 | 2;
  readonly driver: 'cgroupfs' | 'systemd';
  /** Processes that a pod may have; absent: no limit. */
  readonly podMaxPids?: number;
}

const mountPoint = '/sys/fs/cgroup';
const limitedControllers = ['cpu', 'memory', 'pids'] as const;
const classes = ['', 'burstable', 'besteffort'] as const;
type QosDirectory = (typeof classes)[number];

const qosDirectory = (pod: PodSnapshot): QosDirectory => {
  const qos = pod.status.qosClass ?? computePodQOSClass(pod.spec);
  return qos === 'Guaranteed' ? '' : qos === 'Burstable' ? 'burstable' : 'besteffort';
};

/** CPU weight of cgroup v2 for v1 shares, with upstream's formula of 1.36 (it keeps 1024 shares at weight 100). */
export function sharesToWeight(shares: number): number {
  if (shares <= 2) return 1;
  const l = Math.log2(Math.min(shares, 262_144));
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}

/** Files of cgroup v1 and v2 for the same limits: [controller, file, value]. */
export function renderLimits(limits: PodCgroupLimits, version: 1 | 2, maxPids?: number): readonly (readonly [string, string, string])[] {
  const { cpuShares, cpuQuotaMicros, memoryBytes } = limits;
  const pids = maxPids === undefined ? [] : [[version === 2 ? '' : 'pids', 'pids.max', String(maxPids)] as const];
  if (version === 2) {
    return [
      ['', 'cpu.weight', String(sharesToWeight(cpuShares))],
      ['', 'cpu.max', cpuQuotaMicros === undefined ? 'max 100000' : `${cpuQuotaMicros} 100000`],
      ['', 'memory.max', memoryBytes === undefined ? 'max' : String(memoryBytes)],
      ...pids,
    ];
  }
  return [
    ['cpu', 'cpu.shares', String(cpuShares)],
    ...(cpuQuotaMicros === undefined ? [] : [['cpu', 'cpu.cfs_quota_us', String(cpuQuotaMicros)] as const]),
    ...(memoryBytes === undefined ? [] : [['memory', 'memory.limit_in_bytes', String(memoryBytes)] as const]),
    ...pids,
  ];
}

/** With systemd: the slice, whose name spells its parents; dashes of the UID would be more parents. */
export const sliceName = (qos: string, podUid: string): string =>
  `kubepods${qos === '' ? '' : `-${qos}`}-pod${podUid.replaceAll('-', '_')}.slice`;

export function createPodCgroups(config: CgroupConfig, deps: { hostMount: HostMount; run: RunCommand }): PodCgroups {
  const base = path.posix.join(config.root, 'kubepods');
  const directory = (controller: string, ...rest: readonly string[]): string =>
    deps.hostMount.local(path.posix.join(mountPoint, config.version === 2 ? '' : controller, base, ...rest));
  const prepared = new Set<string>();

  /** In v2 a controller works in a group only when its parent hands it down. */
  const handDown = async (relative: string): Promise<void> => {
    if (config.version !== 2 || prepared.has(relative)) return;
    await writeFile(path.posix.join(deps.hostMount.local(mountPoint), relative, 'cgroup.subtree_control'), '+cpu +memory +pids +cpuset');
    prepared.add(relative);
  };
  const ensureFiles = async (pod: PodSnapshot): Promise<string> => {
    const qos = qosDirectory(pod);
    const relative = path.posix.join(base, qos, `pod${pod.metadata.uid}`);
    const parts = relative.split('/').filter((p) => p !== '');
    if (config.version === 2) {
      for (let i = 0; i < parts.length; i++) {
        const parent = `/${parts.slice(0, i).join('/')}`;
        await handDown(parent);
        await mkdir(path.posix.join(deps.hostMount.local(mountPoint), parent, parts[i] ?? ''), { recursive: true });
      }
    } else
      for (const controller of limitedControllers) await mkdir(directory(controller, qos, `pod${pod.metadata.uid}`), { recursive: true });
    // A limit that can't be had yet (the containers' are in the way) must not keep the others from being set.
    const failures: unknown[] = [];
    for (const [controller, file, value] of renderLimits(computePodLimits(pod), config.version, config.podMaxPids)) {
      await writeFile(path.posix.join(directory(controller, qos, `pod${pod.metadata.uid}`), file), value).catch((error: unknown) =>
        failures.push(error),
      );
    }
    if (failures.length > 0) throw failures[0];
    return relative;
  };
  const ensureSlice = async (pod: PodSnapshot): Promise<string> => {
    const name = sliceName(qosDirectory(pod), pod.metadata.uid);
    const limits = computePodLimits(pod);
    // Files alone would be reverted when systemd reloads.
    const properties: [string, 't', string][] = [
      config.version === 2 ? ['CPUWeight', 't', String(sharesToWeight(limits.cpuShares))] : ['CPUShares', 't', String(limits.cpuShares)],
      ...(limits.cpuQuotaMicros === undefined
        ? []
        : [['CPUQuotaPerSecUSec', 't', String(limits.cpuQuotaMicros * 10)] as [string, 't', string]]),
      ...(limits.memoryBytes === undefined
        ? []
        : [[config.version === 2 ? 'MemoryMax' : 'MemoryLimit', 't', String(limits.memoryBytes)] as [string, 't', string]]),
      ...(config.podMaxPids === undefined ? [] : [['TasksMax', 't', String(config.podMaxPids)] as [string, 't', string]]),
    ];
    const systemd = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];
    const flat = properties.flat();
    await deps
      .run('busctl', ['call', ...systemd, 'StartTransientUnit', 'ssa(sv)a(sa(sv))', name, 'fail', String(properties.length), ...flat, '0'])
      .catch(async (error: Error) => {
        if (!/already (exists|loaded)/i.test(error.message)) throw error;
        await deps.run('busctl', ['call', ...systemd, 'SetUnitProperties', 'sba(sv)', name, 'true', String(properties.length), ...flat]);
      });
    return name;
  };
  const controllers = async (): Promise<readonly string[]> =>
    config.version === 2 ? [''] : await readdir(deps.hostMount.local(mountPoint));

  return {
    ensure: (pod) => (config.driver === 'systemd' ? ensureSlice(pod) : ensureFiles(pod)),
    remove: async (podUid) => {
      if (config.driver === 'systemd') {
        for (const qos of classes) await deps.run('systemctl', ['stop', sliceName(qos, podUid)]).catch(() => undefined);
        return;
      }
      for (const controller of await controllers()) {
        for (const qos of classes) await removeTree(directory(controller, qos, `pod${podUid}`));
      }
    },
    list: async () => {
      if (config.driver === 'systemd') return [];
      const uids = new Set<string>();
      for (const controller of await controllers()) {
        for (const qos of classes) {
          for (const name of await readdir(directory(controller, qos)).catch(() => [] as string[]))
            if (name.startsWith('pod')) uids.add(name.slice(3));
        }
      }
      return [...uids];
    },
  };
}

/** Directories of cgroups are removed from the leaves; their files go with them. One that is still busy stays for the next time. */
async function removeTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(path.posix.join(directory, entry.name));
  await rmdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'EBUSY' && error.code !== 'ENOTDIR' && error.code !== 'ENOTEMPTY') throw error;
  });
}
