import { readlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ContainerResources } from '@skiff/cri';
import type { EngineFacts } from './engine-facts.ts';

/** What the engine has no setting for: a file in the container's cgroup. */
export interface CgroupSetting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
}

/** Huge pages with either version; `unified` is of v2 alone. */
export function cgroupSettings(r: ContainerResources, version: 1 | 2): readonly CgroupSetting[] {
  const huge = Object.entries(r.hugePageLimits ?? {}).map(([size, bytes]) => ({
    controller: 'hugetlb',
    file: version === 2 ? `hugetlb.${size}.max` : `hugetlb.${size}.limit_in_bytes`,
    value: String(bytes),
  }));
  const unified = version === 2 ? Object.entries(r.unified ?? {}).map(([file, value]) => ({ controller: '', file, value })) : [];
  return [...huge, ...unified];
}

/** The directories of a slice: those of the slices that its name spells, one in the other. */
const sliceDirectory = (slice: string): string => {
  const parts = path.posix
    .basename(slice)
    .replace(/\.slice$/, '')
    .split('-');
  return path.posix.join(...parts.map((_part, i) => `${parts.slice(0, i + 1).join('-')}.slice`));
};

/** Where the engine puts a container, below the cgroup file system. */
export const containerCgroup = (driver: 'cgroupfs' | 'systemd', parent: string, id: string): string =>
  driver === 'systemd' ? path.posix.join('/', sliceDirectory(parent), `docker-${id}.scope`) : path.posix.join('/', parent, id);

/** The engine's view of files, which is another one when this process runs in a container. */
async function rootOf(daemonPid: number | undefined): Promise<string> {
  if (daemonPid === undefined) return '/';
  const [own, engines] = await Promise.all([readlink('/proc/self/ns/mnt'), readlink(`/proc/${daemonPid}/ns/mnt`)]).catch(() => ['', '']);
  return own === engines ? '/' : `/proc/${daemonPid}/root`;
}

/**
 * Writes settings for a running container. One that ended meanwhile has no files any more, and a kernel without a controller has none of
 * its; both are fine.
 */
export async function applyCgroupSettings(
  settings: readonly CgroupSetting[],
  o: { readonly id: string; readonly parent: string; readonly facts: EngineFacts },
): Promise<void> {
  if (settings.length === 0) return;
  const { cgroupVersion, cgroupDriver, daemonPid } = o.facts;
  const root = await rootOf(daemonPid);
  const directory = containerCgroup(cgroupDriver, o.parent, o.id);
  for (const { controller, file, value } of settings) {
    const name = path.posix.join(root, '/sys/fs/cgroup', cgroupVersion === 2 ? '' : controller, directory, file);
    await writeFile(name, value, { flag: 'r+' }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ENODEV') throw error;
    });
  }
}
