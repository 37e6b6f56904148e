import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterConfig } from '../config.ts';

const cgroupRoot = '/sys/fs/cgroup';

/** Removes a cgroup and those below it; they are empty once the containers are gone. One still in use stays. */
function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) removeTree(join(folder, entry.name));
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['EBUSY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** The kubelet's cgroups carry the instance's name: one tree with cgroup v2, one in each hierarchy with v1. */
export function removeCgroups(config: ClusterConfig): void {
  if (!existsSync(cgroupRoot)) return;
  const hierarchies = existsSync(join(cgroupRoot, 'cgroup.controllers'))
    ? [cgroupRoot]
    : readdirSync(cgroupRoot).map((h) => join(cgroupRoot, h));
  for (const hierarchy of hierarchies) {
    const tree = join(hierarchy, config.instance);
    if (existsSync(tree)) removeTree(tree);
  }
  // Where systemd makes them they are slices, which it ends with those below. Dashes in its names would be more parents.
  const slice = `${config.instance.replaceAll('-', '_')}.slice`;
  if (hierarchies.some((h) => existsSync(join(h, slice)))) spawnSync('systemctl', ['stop', slice], { stdio: 'ignore' });
}
