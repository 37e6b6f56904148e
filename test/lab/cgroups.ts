import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One mounted hierarchy of this machine. */
interface Hierarchy {
  readonly point: string;
  readonly type: 'cgroup' | 'cgroup2';
  /** Options that mount the same hierarchy again. */
  readonly options: string;
}

/** Options of the superblock that say how it was mounted, and not what. */
const notOurs = /^(rw|ro|xattr|release_agent=.*|clone_children|cpuset_v2_mode)$/;

/** What is mounted at and below /sys/fs/cgroup: one hierarchy (v2), one for each controller (v1), or both (hybrid). */
export function hierarchies(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): readonly Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const point = before.split(' ')[4] ?? '';
    const [type, , options = ''] = after.split(' ');
    if ((type !== 'cgroup' && type !== 'cgroup2') || !/^\/sys\/fs\/cgroup(\/|$)/.test(point)) continue;
    const named = options.split(',').filter((o) => !notOurs.test(o));
    if (type === 'cgroup' && named.some((o) => o.startsWith('name='))) named.unshift('none');
    found.push({ point, type, options: type === 'cgroup2' ? 'rw' : named.join(',') });
  }
  return found;
}

export const renderHierarchies = (): string =>
  hierarchies()
    .map((h) => `${h.point} ${h.type} ${h.options}`)
    .join('\n');

/** The group of a lab in a hierarchy; below it is one for each host. No group is shared: labs come and go beside each other. */
export const labGroup = (point: string, lab: string): string => join(point, `skiff-lab-${lab}`);
/** Where a host's own processes are in v2: a group that hands controllers down may hold none itself. */
export const ownGroup = 'init';

/** Those that engines and kubelets use. */
const controllers = ['cpu', 'cpuset', 'io', 'memory', 'pids'];

function prepare(hierarchy: Hierarchy, group: string, parent: string): void {
  if (hierarchy.type === 'cgroup2') {
    const there = readFileSync(join(parent, 'cgroup.controllers'), 'utf8').trim().split(' ');
    const handedDown = controllers.filter((c) => there.includes(c));
    if (handedDown.length > 0) writeFileSync(join(parent, 'cgroup.subtree_control'), handedDown.map((c) => `+${c}`).join(' '));
  }
  mkdirSync(group, { recursive: true });
  // A new cpuset is empty: nothing can run in it before it was filled.
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (hierarchy.type === 'cgroup' && existsSync(join(group, file))) writeFileSync(join(group, file), readFileSync(join(parent, file)));
  }
}

/** Makes the groups of a host in every hierarchy; returns the files into which a process writes its pid to enter them. */
export function makeHostGroups(lab: string, host: string): { readonly enter: readonly string[]; readonly enterOwn: readonly string[] } {
  const enter: string[] = [];
  const enterOwn: string[] = [];
  for (const hierarchy of hierarchies()) {
    const ofLab = labGroup(hierarchy.point, lab);
    const ofHost = join(ofLab, host);
    prepare(hierarchy, ofLab, hierarchy.point);
    prepare(hierarchy, ofHost, ofLab);
    enter.push(join(ofHost, 'cgroup.procs'));
    if (hierarchy.type === 'cgroup2') {
      mkdirSync(join(ofHost, ownGroup), { recursive: true });
      enterOwn.push(join(ofHost, ownGroup, 'cgroup.procs'));
    }
  }
  return { enter, enterOwn };
}

function removeTree(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) removeTree(join(folder, entry.name));
  rmdirSync(folder);
}

/** Processes in a group and those below it. */
function processesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const below = readdirSync(folder, { withFileTypes: true }).filter((e) => e.isDirectory());
  const own = readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n');
  return [...own.filter((pid) => pid !== ''), ...below.flatMap((e) => processesIn(join(folder, e.name)))];
}

/** What still runs in the groups of a lab. */
export const processesOfLab = (lab: string): readonly string[] => [
  ...new Set(hierarchies().flatMap(({ point }) => processesIn(labGroup(point, lab)))),
];

/** Removes the groups of a lab, or of one of its hosts. No process may be left in them. Throws EBUSY if one is. */
export function removeGroups(lab: string, host?: string): void {
  for (const { point } of hierarchies()) removeTree(join(labGroup(point, lab), host ?? ''));
}
