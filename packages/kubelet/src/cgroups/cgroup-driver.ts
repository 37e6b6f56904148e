import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HostMount } from '../host/host-mount.ts';
import type { RunCommand } from '../host/run-command.ts';
import { type CgroupFile, type CgroupLimits, renderFiles, renderProperties } from './limits.ts';

/** A cgroup by the names on the way to it, as upstream names them: `kubepods`, `burstable`, `pod<uid>`. */
export type CgroupPath = readonly string[];

/** Makes and limits cgroups, the way the engine does it as well: with files, or by asking systemd. */
export interface CgroupDriver {
  /** Makes the cgroup, if it isn't there, and sets limits. What could be set is; throws the first failure. */
  set(cgroup: CgroupPath, limits: CgroupLimits): Promise<void>;
  /** Removes a cgroup with those below it; one that is busy stays. */
  remove(cgroup: CgroupPath): Promise<void>;
  /** Names of the cgroups in one. */
  children(cgroup: CgroupPath): Promise<readonly string[]>;
  /** The path to a cgroup that somebody names as it is found in the file system: `/system.slice`, `/a.slice/a-b.slice`. */
  pathOf(name: string): CgroupPath;
  /** What the runtime takes as the parent of containers. */
  parentName(cgroup: CgroupPath): string;
  exists(cgroup: CgroupPath): Promise<boolean>;
  /** Whether there are processes in it, or below it. */
  isBusy(cgroup: CgroupPath): Promise<boolean>;
}

export interface CgroupDriverConfig {
  readonly version: 1 | 2;
  readonly driver: 'cgroupfs' | 'systemd';
}

const mountPoint = '/sys/fs/cgroup';
const controllersV1 = ['cpu', 'memory', 'pids', 'hugetlb'] as const;
/** Controllers that limits here, or the engine’s for containers, are about, and those that a node can do without. */
const needed = new Set(['cpuset', 'cpu', 'memory', 'pids']);
const optional = new Set(['io', 'hugetlb']);

const entriesOf = (directory: string) => readdir(directory, { withFileTypes: true }).catch(() => []);

/** Directories of cgroups are removed from the leaves; their files go with them. */
async function removeTree(directory: string): Promise<void> {
  for (const entry of await entriesOf(directory)) if (entry.isDirectory()) await removeTree(path.posix.join(directory, entry.name));
  await rmdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (!['ENOENT', 'EBUSY', 'ENOTDIR', 'ENOTEMPTY'].includes(error.code ?? '')) throw error;
  });
}

/** A file of a cgroup that may end meanwhile. */
const readOf = (file: string): Promise<string> =>
  readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENODEV') return '';
    throw error;
  });

/** Of v1, where a cgroup's file names only its own processes. */
async function hasProcesses(directory: string): Promise<boolean> {
  if ((await readOf(path.posix.join(directory, 'cgroup.procs'))).trim() !== '') return true;
  for (const entry of await entriesOf(directory))
    if (entry.isDirectory() && (await hasProcesses(path.posix.join(directory, entry.name)))) return true;
  return false;
}

/** The tree of cgroups as files; `directories` are those of one cgroup below the mount point. */
function createTree(version: 1 | 2, local: HostMount['local']) {
  const at = (controller: string, directory: string): string =>
    local(path.posix.join(mountPoint, version === 2 ? '' : controller, directory));
  let hierarchies: Promise<readonly string[]> | undefined;
  /** Of v1: what is mounted of those that matter. */
  const mounted = (): Promise<readonly string[]> => {
    hierarchies ??= entriesOf(local(mountPoint)).then((all) => {
      const names = new Set(all.map((e) => e.name));
      return controllersV1.filter((c) => names.has(c));
    });
    return hierarchies;
  };
  const prepared = new Set<string>();
  /** In v2 a controller works in a group only when its parent hands it down. */
  const handDown = async (directory: string): Promise<void> => {
    if (prepared.has(directory)) return;
    const namesIn = async (file: string): Promise<readonly string[]> =>
      (await readFile(path.posix.join(at('', directory), file), 'utf8')).trim().split(' ');
    const handedDown = new Set(await namesIn('cgroup.subtree_control'));
    const missing = (await namesIn('cgroup.controllers')).filter((c) => !handedDown.has(c));
    const add = (names: readonly string[]): Promise<void> =>
      names.length === 0
        ? Promise.resolve()
        : writeFile(path.posix.join(at('', directory), 'cgroup.subtree_control'), names.map((c) => `+${c}`).join(' '));
    await add(missing.filter((c) => needed.has(c)));
    // EBUSY: the root of a container, where processes are, hands down what it was made to, and no more.
    await add(missing.filter((c) => optional.has(c))).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EBUSY') throw error;
    });
    prepared.add(directory);
  };
  return {
    at,
    make: async (directory: string): Promise<void> => {
      if (version === 1) {
        for (const c of await mounted()) await mkdir(at(c, directory), { recursive: true });
        return;
      }
      const parts = directory.split('/').filter((p) => p !== '');
      for (let i = 0; i < parts.length; i++) {
        const parent = `/${parts.slice(0, i).join('/')}`;
        await handDown(parent);
        await mkdir(at('', path.posix.join(parent, parts[i] ?? ''))).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST') throw error;
        });
      }
    },
    write: async (directory: string, files: readonly CgroupFile[]): Promise<void> => {
      // A limit that can't be had yet (the containers' are in the way) must not keep the others from being set.
      const failures: unknown[] = [];
      const known = version === 2 ? [''] : await mounted();
      for (const { controller, file, value } of files) {
        if (!known.includes(controller)) continue;
        await writeFile(path.posix.join(at(controller, directory), file), value).catch((error: NodeJS.ErrnoException) => {
          // What the kernel was built or booted without (swap, huge pages) needs no limit.
          if (error.code !== 'ENOENT' || !/swap|hugetlb/.test(file)) failures.push(error);
        });
      }
      if (failures.length > 0) throw failures[0];
    },
    remove: async (directory: string): Promise<void> => {
      const all = version === 2 ? [''] : (await entriesOf(local(mountPoint))).map((e) => e.name);
      for (const controller of all) await removeTree(at(controller, directory));
      for (const known of prepared) if (known === directory || known.startsWith(`${directory}/`)) prepared.delete(known);
    },
    list: async (directory: string): Promise<readonly string[]> => {
      const all = version === 2 ? [''] : await mounted();
      const found = await Promise.all(all.map((c) => entriesOf(at(c, directory))));
      return [...new Set(found.flat().flatMap((e) => (e.isDirectory() ? [e.name] : [])))];
    },
    isBusy: async (directory: string): Promise<boolean> => {
      if (version === 2) return /^populated 1$/m.test(await readOf(path.posix.join(at('', directory), 'cgroup.events')));
      for (const c of await mounted()) if (await hasProcesses(at(c, directory))) return true;
      return false;
    },
  };
}

function createFileDriver(version: 1 | 2, local: HostMount['local']): CgroupDriver {
  const tree = createTree(version, local);
  const directoryOf = (cgroup: CgroupPath): string => path.posix.join('/', ...cgroup);
  return {
    set: async (cgroup, limits) => {
      await tree.make(directoryOf(cgroup));
      await tree.write(directoryOf(cgroup), renderFiles(limits, version));
    },
    remove: (cgroup) => tree.remove(directoryOf(cgroup)),
    children: (cgroup) => tree.list(directoryOf(cgroup)),
    exists: async (cgroup) => (await tree.list(directoryOf(cgroup.slice(0, -1)))).includes(cgroup.at(-1) ?? ''),
    isBusy: (cgroup) => tree.isBusy(directoryOf(cgroup)),
    pathOf: (name) => name.split('/').filter((p) => p !== ''),
    parentName: directoryOf,
  };
}

/** A slice's name spells its parents with dashes, so there are none in the parts. */
export const sliceName = (cgroup: CgroupPath): string =>
  cgroup.length === 0 ? '-.slice' : `${cgroup.map((p) => p.replaceAll('-', '_')).join('-')}.slice`;
export const sliceDirectory = (cgroup: CgroupPath): string =>
  path.posix.join('/', ...cgroup.map((_part, i) => sliceName(cgroup.slice(0, i + 1))));

const sliceParts = (name: string): CgroupPath =>
  path.posix
    .basename(name)
    .replace(/\.slice$/, '')
    .split('-')
    .filter((p) => p !== '');

const manager = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];

function createSystemdDriver(version: 1 | 2, o: { readonly local: HostMount['local']; readonly run: RunCommand }): CgroupDriver {
  const tree = createTree(version, o.local);
  const made = new Set<string>();
  /** Files alone would be reverted when systemd reloads. */
  const ensure = async (name: string, limits: readonly (readonly [string, string])[]): Promise<void> => {
    const flat = limits.flatMap(([property, value]) => [property, 't', value]);
    if (made.has(name)) {
      if (limits.length > 0)
        await o.run('busctl', ['call', ...manager, 'SetUnitProperties', 'sba(sv)', name, 'true', String(limits.length), ...flat]);
      return;
    }
    const accounting = ['MemoryAccounting', 'CPUAccounting', 'TasksAccounting'].flatMap((p) => [p, 'b', 'true']);
    const all = ['DefaultDependencies', 'b', 'false', ...accounting, ...flat];
    await o
      .run('busctl', ['call', ...manager, 'StartTransientUnit', 'ssa(sv)a(sa(sv))', name, 'replace', String(all.length / 3), ...all, '0'])
      .catch(async (error: Error) => {
        if (!/already (exists|loaded)|was already loaded/i.test(error.message)) throw error;
        if (limits.length > 0)
          await o.run('busctl', ['call', ...manager, 'SetUnitProperties', 'sba(sv)', name, 'true', String(limits.length), ...flat]);
      });
    made.add(name);
  };
  return {
    set: async (cgroup, limits) => {
      const name = sliceName(cgroup);
      await ensure(name, renderProperties(limits, version));
      const { hugePages } = limits;
      if (hugePages === undefined || hugePages.size === 0) return;
      const directory = sliceDirectory(cgroup);
      await tree.make(directory);
      await tree.write(directory, renderFiles({ hugePages }, version));
    },
    remove: async (cgroup) => {
      const name = sliceName(cgroup);
      made.delete(name);
      await o.run('systemctl', ['stop', name]).catch((error: Error) => {
        if (!/not loaded|not found/i.test(error.message)) throw error;
      });
      await tree.remove(sliceDirectory(cgroup));
    },
    children: async (cgroup) => {
      const prefix = cgroup.length === 0 ? '' : sliceName(cgroup).replace(/\.slice$/, '-');
      return (await tree.list(sliceDirectory(cgroup))).flatMap((name) =>
        name.startsWith(prefix) && name.endsWith('.slice') ? [name.slice(prefix.length, -'.slice'.length).replaceAll('_', '-')] : [],
      );
    },
    exists: async (cgroup) => (await tree.list(sliceDirectory(cgroup.slice(0, -1)))).includes(sliceName(cgroup)),
    isBusy: (cgroup) => tree.isBusy(sliceDirectory(cgroup)),
    pathOf: sliceParts,
    parentName: sliceName,
  };
}

export const createCgroupDriver = (config: CgroupDriverConfig, deps: { hostMount: HostMount; run: RunCommand }): CgroupDriver =>
  config.driver === 'systemd'
    ? createSystemdDriver(config.version, { local: deps.hostMount.local, run: deps.run })
    : createFileDriver(config.version, deps.hostMount.local);
