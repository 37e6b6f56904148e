import { stat } from 'node:fs/promises';
import type { ContainerStatus, RuntimeService } from '@skiff/cri';
import type { HostMount } from '../host/host-mount.ts';
import type { RunCommand } from '../host/run-command.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import { podPaths } from '../volumes/pod-paths.ts';
import type { DiskParts } from './pod-usage.ts';

export interface ContainerDisk {
  readonly writableBytes: number;
  readonly writableInodes: number;
  readonly logBytes: number;
}

/** Disk use of one pod, when it was measured. */
export interface PodDisk {
  readonly atMs: number;
  readonly bytes: DiskParts;
  readonly inodes?: DiskParts;
  readonly containers: ReadonlyMap<string, ContainerDisk>;
  /** emptyDir volumes, those in memory included. */
  readonly volumes: ReadonlyMap<string, { readonly bytes: number; readonly inodes?: number; readonly memory: boolean }>;
}

/** What is mounted in there may never answer, and the other pods wait. Directories that are not counted by then are missing. */
const duSeconds = 300;
/** Rotated logs lie beside the newest. */
const maxLogFiles = 100;

/** Of `du`: one number and a path in each line. What vanished meanwhile is missing. */
export const parseDu = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text.split('\n').flatMap((line) => {
      const tab = line.indexOf('\t');
      return tab < 0 ? [] : [[line.slice(tab + 1), Number(line.slice(0, tab))] as const];
    }),
  );

/**
 * Counts what a pod has on disk: writable layers (the engine counts them), logs, emptyDir volumes, and the files that the kubelet keeps for it,
 * /etc/hosts and termination messages among them, which containers can write to. Everything is walked, so ask seldom.
 */
export function createDiskMeter(
  config: { readonly rootDirectory: string },
  deps: { readonly runtime: RuntimeService; readonly hostMount: HostMount; readonly run: RunCommand; readonly now: () => number },
): (pod: PodSnapshot, containers: readonly ContainerStatus[], o: { readonly inodes: boolean }) => Promise<PodDisk> {
  const { hostMount } = deps;
  // What can't be read is no reason to fail: directories come and go.
  const du = async (flags: string, paths: readonly string[]): Promise<ReadonlyMap<string, number>> =>
    paths.length === 0
      ? new Map()
      : parseDu(
          await deps.run('nice', [
            '-n',
            '19',
            'sh',
            '-c',
            `timeout -s KILL ${duSeconds} du ${flags} -- "$@" 2>/dev/null; exit 0`,
            'sh',
            ...paths,
          ]),
        );
  const logBytes = async (logPath: string | undefined): Promise<number> => {
    if (logPath === undefined) return 0;
    let total = 0;
    for (let i = 0; i < maxLogFiles; i++) {
      const found = await stat(hostMount.local(i === 0 ? logPath : `${logPath}.${i}`)).catch(() => undefined);
      if (found === undefined) break;
      total += found.blocks * 512;
    }
    return total;
  };

  return async (pod, containers, o) => {
    const paths = podPaths(config.rootDirectory, pod.metadata.uid);
    const dirs = (pod.spec.volumes ?? [])
      .filter((v) => v.emptyDir !== undefined)
      .map((v) => ({ name: v.name, path: hostMount.local(paths.volume('empty-dir', v.name)), memory: v.emptyDir?.medium === 'Memory' }));
    const own = [paths.hosts, paths.resolvConf, paths.containers].map((p) => hostMount.local(p));
    const all = [...dirs.map((d) => d.path), ...own];
    const perContainer = async (c: ContainerStatus): Promise<readonly [string, ContainerDisk]> => {
      const [fs, logs] = await Promise.all([deps.runtime.containerFilesystem(c.id), logBytes(c.logPath)]);
      return [c.metadata.name, { writableBytes: fs?.usedBytes ?? 0, writableInodes: fs?.inodesUsed ?? 0, logBytes: logs }];
    };
    const [kib, count, measured] = await Promise.all([
      du('-skx', all),
      o.inodes ? du('-sx --inodes', all) : new Map<string, number>(),
      Promise.all(containers.map(perContainer)),
    ]);
    // Former containers of a name count with the present one.
    const byName = new Map<string, ContainerDisk>();
    for (const [name, d] of measured) {
      const before = byName.get(name);
      byName.set(name, {
        writableBytes: d.writableBytes + (before?.writableBytes ?? 0),
        writableInodes: d.writableInodes + (before?.writableInodes ?? 0),
        logBytes: d.logBytes + (before?.logBytes ?? 0),
      });
    }
    const sum = (field: keyof ContainerDisk): number => [...byName.values()].reduce((total, d) => total + d[field], 0);
    const onDisk = [...dirs.filter((d) => !d.memory).map((d) => d.path), ...own];
    const total = (figures: ReadonlyMap<string, number>): number => onDisk.reduce((t, p) => t + (figures.get(p) ?? 0), 0);
    return {
      atMs: deps.now(),
      bytes: { writable: sum('writableBytes'), logs: sum('logBytes'), volumes: total(kib) * 1024 },
      ...(o.inodes ? { inodes: { writable: sum('writableInodes'), logs: 0, volumes: total(count) } } : {}),
      containers: byName,
      volumes: new Map(
        dirs.map((d) => {
          const inodes = count.get(d.path);
          return [d.name, { bytes: (kib.get(d.path) ?? 0) * 1024, memory: d.memory, ...(inodes === undefined ? {} : { inodes }) }];
        }),
      ),
    };
  };
}
