import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { persistentVolume as volumes } from '@skiff/api';
import { isStatusError } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { Clock } from '@skiff/component-base';
import type { CsiDrivers } from '../csi/csi-drivers.ts';
import { loadVolumeData } from '../csi/volume-data.ts';
import type { HostMount } from '../host/host-mount.ts';
import type { RunCommand } from '../host/run-command.ts';
import { podsDirectory } from './pod-paths.ts';

/** How full a claim's volume is, as the file system (or the driver) tells. */
export interface ClaimStats {
  readonly podUid: string;
  readonly namespace: string;
  readonly claimName: string;
  readonly atMs: number;
  readonly availableBytes: number;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly inodes: number;
  readonly inodesFree: number;
  readonly inodesUsed: number;
}

/** Upstream's volumeStatsAggPeriod. */
const ageMs = 60_000;
/** For one volume. What is not known by then is asked for again when the answer has come. */
const patienceMs = 10_000;
/** In seconds. A hard mount of a server that is gone answers nobody: not this process, whose few file threads would all come to wait. */
const statfsSeconds = 5;
const plugins = ['local-volume', 'nfs', 'csi'] as const;

interface Found {
  readonly podUid: string;
  readonly volumeName: string;
  readonly folder: string;
  readonly isCsi: boolean;
}

type Figures = Omit<ClaimStats, 'podUid' | 'namespace' | 'claimName' | 'atMs'>;

/** statfs(2) by a process of its own, which can be given up. */
async function statfsApart(run: RunCommand, folder: string): Promise<Figures> {
  const text = await run('timeout', ['-s', 'KILL', String(statfsSeconds), 'stat', '-f', '-c', '%S %b %f %a %c %d', '--', folder]);
  const [size = NaN, blocks = NaN, free = NaN, available = NaN, inodes = NaN, inodesFree = NaN] = text.trim().split(' ').map(Number);
  const figures = {
    availableBytes: available * size,
    capacityBytes: blocks * size,
    usedBytes: (blocks - free) * size,
    inodes,
    inodesFree,
    inodesUsed: inodes - inodesFree,
  };
  if (!Object.values(figures).every(Number.isFinite)) throw new Error(`stat says "${text.trim()}" of ${folder}`);
  return figures;
}

/** Reads how full the volumes of claims are, at most once a minute, and only for who asks. */
export function createClaimStats(
  config: { readonly rootDirectory: string },
  deps: { client: Client; hostMount: HostMount; run: RunCommand; drivers: Pick<CsiDrivers, 'get' | 'has'>; clock: Clock },
): () => Promise<readonly ClaimStats[]> {
  const { hostMount } = deps;
  /** Whose a volume is does not change while it is bound; undefined: it is no PersistentVolume. */
  const owners = new Map<string, { readonly namespace: string; readonly name: string } | undefined>();
  let known: { readonly atMs: number; readonly stats: Promise<readonly ClaimStats[]> } | undefined;

  const list = (folder: string): Promise<readonly string[]> => readdir(hostMount.local(folder)).catch(() => []);
  const find = async (): Promise<readonly Found[]> => {
    const pods = podsDirectory(config.rootDirectory);
    const found: Found[] = [];
    for (const podUid of await list(pods)) {
      for (const plugin of plugins) {
        const parent = path.join(pods, podUid, 'volumes', `kubernetes.io~${plugin}`);
        for (const volumeName of await list(parent))
          found.push({ podUid, volumeName, folder: path.join(parent, volumeName), isCsi: plugin === 'csi' });
      }
    }
    return found;
  };
  const ownerOf = async (volumeName: string): Promise<{ namespace: string; name: string } | undefined> => {
    if (!owners.has(volumeName)) {
      // Inline volumes have folders as well; of what is no volume of a pod here the API tells a node nothing.
      const volume = await deps.client.get(volumes, { name: volumeName }).catch((error: unknown) => {
        if (isStatusError(error) && (error.code === 403 || error.code === 404)) return undefined;
        throw error;
      });
      const { namespace = '', name = '' } = volume?.spec?.claimRef ?? {};
      owners.set(volumeName, name === '' ? undefined : { namespace, name });
    }
    return owners.get(volumeName);
  };
  const figures = async (f: Found): Promise<Figures> => {
    const data = f.isCsi ? await loadVolumeData(hostMount.local(f.folder)) : undefined;
    if (data !== undefined && deps.drivers.has(data.driverName)) {
      const service = deps.drivers.get(data.driverName);
      if (await service.has('GET_VOLUME_STATS')) {
        const usage = await service.stats({
          volumeId: data.volumeHandle,
          volumePath: data.targetPath,
          stagingTargetPath: data.stagingPath,
        });
        const bytes = usage.find((u) => u.unit === 'BYTES');
        const inodes = usage.find((u) => u.unit === 'INODES');
        return {
          availableBytes: bytes?.available ?? 0,
          capacityBytes: bytes?.total ?? 0,
          usedBytes: bytes?.used ?? 0,
          inodes: inodes?.total ?? 0,
          inodesFree: inodes?.available ?? 0,
          inodesUsed: inodes?.used ?? 0,
        };
      }
    }
    return await statfsApart(deps.run, hostMount.local(data?.targetPath ?? f.folder));
  };
  /** By folder: questions without an answer yet. */
  const asked = new Set<string>();
  const figuresInTime = async (f: Found): Promise<Figures | undefined> => {
    if (asked.has(f.folder)) return undefined;
    asked.add(f.folder);
    // One that is just going has no figures.
    const answer = figures(f)
      .catch(() => undefined)
      .finally(() => asked.delete(f.folder));
    return await new Promise((resolve) => {
      const timer = deps.clock.after(patienceMs, () => resolve(undefined));
      void answer.then(resolve).finally(() => timer[Symbol.dispose]());
    });
  };
  const read = async (atMs: number): Promise<readonly ClaimStats[]> => {
    const found = await find();
    const names = new Set(found.map((f) => f.volumeName));
    for (const name of owners.keys()) if (!names.has(name)) owners.delete(name);
    const all = await Promise.all(
      found.map(async (f): Promise<readonly ClaimStats[]> => {
        // While the API does not answer nobody knows; the next time it may.
        const owner = await ownerOf(f.volumeName).catch(() => undefined);
        if (owner === undefined) return [];
        const own = await figuresInTime(f);
        return own === undefined ? [] : [{ podUid: f.podUid, namespace: owner.namespace, claimName: owner.name, atMs, ...own }];
      }),
    );
    return all.flat();
  };
  return async () => {
    const nowMs = deps.clock.now();
    if (known === undefined || nowMs - known.atMs > ageMs) known = { atMs: nowMs, stats: read(nowMs) };
    return await known.stats;
  };
}
